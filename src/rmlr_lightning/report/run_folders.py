"""What rmlr-train leaves in the folder of a run, read for a report."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.report.sweep_order import FILE as SWEEP_FILE
from rmlr_lightning.report.sweep_order import place_in_sweep, swept_values

# Overrides that make no row of their own: shown elsewhere, or without influence on the result.
NO_ROW = re.compile(
    r"experiment|sweep|seed|name|label|report|resume|debug|logger.*|paths\..*|hydra.*"
    r"|data\.prepare\.(config\.train|out|workers)|data\.num_workers|features\.(path|num_workers)"
    r"|trainer\.(devices|accelerator)"
    r"|callbacks\.(curves|panel|record|wandb|speed|gradients)(\..*)?"
)
TRAIN = ("data", "prepare", "config", "train")  # the number of training images


class RunFolder(NamedTuple):
    """A run of rmlr-train, finished or not."""

    folder: Path
    name: str
    label: str
    overrides: tuple[str, ...]
    train: int | None  # number of training images, where the data set is synthetic and all are used
    seed: int
    metrics: dict[str, float] | None  # None: unfinished
    limits: dict[str, str]  # of splits of which a part was used: "trainer.limit_test_batches=5"


def run_folders(parent: Path) -> Iterator[RunFolder]:
    """All runs at any depth below a folder, in the order of their sweep.

    Raises:
        UserError: there is no such folder, or a file of a run is damaged.
    """
    if not parent.is_dir():
        raise UserError(
            f"{parent}: no such folder; give one that rmlr-train wrote to, such as "
            "multirun/ablation, or a runs.csv"
        )
    # Hydra writes .hydra/config.yaml first, rmlr-train config.yaml when the training starts.
    homes = {
        file.parent.parent if file.parent.name == ".hydra" else file.parent
        for file in parent.rglob("config.yaml")
    }
    # sweeps may lie side by side below a folder, and each has an order of its own
    sweeps = {home: _sweep_of(home, parent) for home in homes}
    values = {sweep: swept_values(sweep) for sweep in set(sweeps.values())}

    def place(home: Path) -> tuple[Path, list[int], Path]:
        sweep = sweeps[home]
        return sweep, place_in_sweep(_all_overrides(home), values[sweep]), home

    for home in sorted(homes, key=place):
        config = _config(home)
        if "name" not in config or "seed" not in config:
            continue  # of another console script
        yield _read(home, config)


def commit_of(folder: Path) -> str | None:
    """The commit that is checked out where a folder lies; None outside of a git repository."""
    command = ["git", "-C", str(folder), "rev-parse", "--short=7", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip() or None


def _read(home: Path, config: dict[str, Any]) -> RunFolder:
    # `str` of a nested list could be very long: YAML's aliases double it with every line
    for key in ("name", "label"):
        if not isinstance(config.get(key), (str, int, float, type(None))):
            raise UserError(
                f"{home / 'config.yaml'}: {key} is not a name; correct it or remove the run"
            )
    name, seed = printable(str(config["name"])), config["seed"]
    if type(seed) is not int:
        raise UserError(
            f"{home / 'config.yaml'}: seed is {seed!r}, not a number; correct it or remove the run"
        )
    train = _value(config, *TRAIN)
    # The batches of each epoch are others: how many images a part of them shows is not known.
    is_limited = is_part(_value(config, "trainer", "limit_train_batches"))
    train = train if type(train) is int and not is_limited else None

    label = printable(str(config.get("label") or name.replace("_", " ")))
    overrides = _overrides(home, with_size=is_limited)
    # Metrics of a part are not comparable with those of a whole split.
    limits = {}
    for split in ("val", "test"):
        key = f"limit_{split}_batches"
        if is_part(value := _value(config, "trainer", key)):
            limits[split] = printable(f"trainer.{key}={value}")
    return RunFolder(home, name, label, overrides, train, seed, _metrics(home), limits)


def is_part(limit: int | float | None) -> bool:
    """Whether Lightning takes a part of the batches: 1.0 are all of them, 1 is the first."""
    return limit is not None and not (isinstance(limit, float) and limit == 1)


def _value(config: Any, *keys: str) -> Any:
    """A value of nested mappings; None if it is not there."""
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _config(home: Path) -> dict[str, Any]:
    # A run that failed before training has Hydra's copy only.
    path = home / "config.yaml"
    path = path if path.exists() else home / ".hydra" / "config.yaml"
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(
            f"{path}: not a readable configuration ({_short(error)}); correct it or remove the run"
        ) from None
    return read if isinstance(read, dict) else {}


def _metrics(home: Path) -> dict[str, float] | None:
    path = home / "metrics.json"
    if not path.exists():
        return None
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(value) for name, value in read.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged ({_short(error)}); remove the file and repeat the run"
        ) from None


def _sweep_of(home: Path, parent: Path) -> Path:
    """The nearest folder of a sweep that holds a run; the one that was given if there is none."""
    folders = [folder for folder in home.parents if folder.is_relative_to(parent)]
    return next((folder for folder in folders if (folder / SWEEP_FILE).is_file()), parent)


def _overrides(home: Path, with_size: bool) -> tuple[str, ...]:
    """Those that make a row, sorted; the size of the training set where no heading has it."""
    lines = [line.lstrip("+") for line in _all_overrides(home)]
    keys = {line: line.partition("=")[0] for line in lines}
    made = [line for line, key in keys.items() if not NO_ROW.fullmatch(key)]
    sizes = [line for line, key in keys.items() if key == ".".join(TRAIN) and with_size]
    return tuple(sorted(made + sizes))


def _all_overrides(home: Path) -> list[str]:
    path = home / ".hydra" / "overrides.yaml"
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not readable ({_short(error)}); remove it or the run") from None
    if read is not None and not isinstance(read, list):
        raise UserError(f"{path}: not a list of overrides; remove it or the run")
    return [printable(line) for line in read or [] if isinstance(line, str)]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
