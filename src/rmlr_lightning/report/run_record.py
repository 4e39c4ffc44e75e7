"""Everything that a run's folder holds for its page."""

import csv
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.images.image_file import ImageFolders, open_image
from rmlr_lightning.report.runs_csv import Run
from rmlr_lightning.scoring.record import TestRecord
from rmlr_lightning.scoring.record_file import FILE, read_record

History = dict[str, list[tuple[float, float]]]  # (epoch, value) by name of the metric


class RunRecord(NamedTuple):
    """A run, with what is left of its training and its test. Parts that are missing are empty."""

    run: Run
    test: TestRecord | None
    thumbnails: dict[str, bytes]  # JPEG files by name of the image
    history: History
    environment: dict[str, Any]
    overrides: list[str]  # as typed
    image_folders: ImageFolders | None  # of the test split, the one of config.yaml first

    @property
    def name(self) -> str:
        """For headings: "visual, seed 3"."""
        return f"{self.run.label}, seed {self.run.seed}"


def read_run(run: Run) -> RunRecord:
    """Read the folder of a run. A run of a runs.csv may have none any more.

    Raises:
        UserError: test_record.npz is damaged.
    """
    folder = run.folder
    test, thumbnails = None, {}
    if (folder / FILE).is_file():
        test, thumbnails = read_record(folder / FILE)
    return RunRecord(
        run=run,
        test=test,
        thumbnails=thumbnails,
        history=read_history(folder / "log"),
        environment=_json(folder / "environment.json"),
        overrides=_overrides(folder),
        image_folders=_image_folders(folder),
    )


def read_history(folder: Path) -> History:
    """The values of each epoch, from the CSV logs of a run and of those that it resumed.

    Lines that cannot be read are left out. Of an epoch that was trained twice the later counts.
    """
    found: dict[str, dict[float, float]] = {}
    versions = sorted(folder.glob("version_*/metrics.csv"), key=_version)
    # A resumed run has a log for each of its parts.
    for path in versions:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                lines = list(csv.DictReader(file))
        except (OSError, ValueError, csv.Error):
            continue
        for line in lines:
            epoch = _number(line.get("epoch"))
            if epoch is None:
                continue
            for name, text in line.items():
                value = _number(text)
                if isinstance(name, str) and "/" in name and value is not None:
                    found.setdefault(printable(name), {})[epoch + 1] = value
    return {name: sorted(points.items()) for name, points in found.items()}


def mean_history(histories: Sequence[History], name: str) -> list[tuple[float, float]]:
    """The mean of a metric over runs, at the epochs that all of them have."""
    curves = [dict(history[name]) for history in histories if name in history]
    if not curves:
        return []
    # A mean over fewer runs at some epochs would jump there.
    epochs = set.intersection(*(set(curve) for curve in curves))
    return [(e, sum(curve[e] for curve in curves) / len(curves)) for e in sorted(epochs)]


def small_image(record: RunRecord, file_name: str, width: int = 420) -> bytes | None:
    """A JPEG copy of a test image: the one that the run kept, or one of the file, if it exists."""
    if file_name in record.thumbnails:
        return record.thumbnails[file_name]
    # Pages of two runs show images that neither of them kept.
    if record.image_folders is None:
        return None
    from rmlr_lightning.drawing.thumbnail import thumbnail

    # The folder of a run may have been copied to a machine without the data.
    try:
        return thumbnail(open_image(record.image_folders / file_name), width)
    except UserError:
        return None


def _image_folders(folder: Path) -> ImageFolders | None:
    """The folder of the test images in config.yaml, in all places where it may be.

    It is relative to the folder in which the run was trained, or was then below RMLR_DATA.
    """
    try:
        config: Any = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        images = ImageFolders(config["data"]["test"]["images"]).paths
        data = Path(config["paths"]["data"])
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, UserError):
        return None
    places = [Path(), *folder.absolute().parents]
    found = [place / path for place in places for path in images]
    # as in conf/paths
    moved = os.environ.get("RMLR_DATA")
    if moved:
        below = [path.relative_to(data) for path in images if path.is_relative_to(data)]
        found += [Path(moved) / path for path in below]
    return ImageFolders(list(dict.fromkeys(found)))


def _overrides(folder: Path) -> list[str]:
    try:
        path = folder / ".hydra" / "overrides.yaml"
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return []
    return [printable(line) for line in read or [] if isinstance(line, str)]


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _version(path: Path) -> tuple[int, str]:
    number = path.parent.name.removeprefix("version_")
    return (int(number) if number.isdecimal() else -1, number)


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def versions(environment: Mapping[str, Any]) -> dict[str, str]:
    """Versions of Python and packages."""
    packages = environment.get("packages")
    rows = {"python": environment.get("python"), "machine": environment.get("machine")}
    rows |= packages if isinstance(packages, dict) else {}
    return {str(name): str(value) for name, value in rows.items() if value is not None}
