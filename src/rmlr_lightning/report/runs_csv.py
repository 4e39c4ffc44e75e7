"""Runs as a CSV file: written by a report, and read by a later one in place of the run folders."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rmlr_lightning.errors import UserError, printable

COLUMNS = ("row", "label", "train", "seed", "folder", "commit")  # then the metrics


class Run(NamedTuple):
    """A finished run."""

    row: str  # name of its row on the command line
    label: str  # name of its row in tables
    train: int | None  # number of training images, where the data set is synthetic
    seed: int
    folder: Path
    commit: str | None  # of the code that made it
    metrics: dict[str, float]  # as in metrics.json: in [0, 1], costs in seconds


def runs_csv(runs: Iterable[Run]) -> bytes:
    """A line for each run."""
    runs = list(runs)
    names = sorted({name for run in runs for name in run.metrics})
    lines = []
    for run in runs:
        facts = (run.row, run.label, run.train, run.seed, run.folder.as_posix(), run.commit)
        lines.append([*facts, *(run.metrics.get(name) for name in names)])
    return csv_bytes([*COLUMNS, *names], lines)


def read_runs_csv(path: Path) -> list[Run]:
    """The runs of a file that `runs_csv` wrote. A file without the column `commit` is read too.

    Raises:
        UserError: the file is missing or not such a file.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None

    runs = []
    for number, line in enumerate(lines, start=2):
        try:
            metrics = {
                name: float(value)
                for name, value in line.items()
                if name not in COLUMNS and value != ""
            }
            runs.append(
                Run(
                    row=printable(line["row"]),
                    label=printable(line["label"]),
                    train=int(line["train"]) if line["train"] else None,
                    seed=int(line["seed"]),
                    folder=Path(line["folder"]),
                    commit=line.get("commit") or None,
                    metrics=metrics,
                )
            )
        except (KeyError, ValueError, TypeError, AttributeError):
            raise UserError(
                f"{path}: line {number} is not a run; give a runs.csv that rmlr-report wrote"
            ) from None
    return runs


def csv_bytes(heads: Sequence[str], lines: Iterable[Sequence]) -> bytes:
    """A CSV file; None and NaN are empty cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    for line in lines:
        undefined = (v is None or (isinstance(v, float) and math.isnan(v)) for v in line)
        writer.writerow("" if u else v for u, v in zip(undefined, line, strict=True))
    return text.getvalue().encode()
