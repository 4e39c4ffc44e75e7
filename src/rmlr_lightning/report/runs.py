"""The finished runs of a report, from folders of rmlr-train or from a runs.csv."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rmlr_lightning.errors import UserError
from rmlr_lightning.report.failed_runs import failed_runs
from rmlr_lightning.report.run_folders import RunFolder, commit_of, run_folders
from rmlr_lightning.report.runs_csv import Run, read_runs_csv


class FoundRuns(NamedTuple):
    """The runs to report, and the folders that are not counted."""

    runs: list[Run]  # rows as they were given or swept; of each by size and seed
    unfinished: list[Path]
    failed: dict[Path, str]  # with the reason
    without_metric: list[Path]  # finished, but the required metric is missing or NaN
    limits: dict[Path, str]  # runs with metrics of a part of the split, and the option for it


def find_runs(paths: Sequence[Path], required: str, commit: str | None = None) -> FoundRuns:
    """Collect runs.

    Args:
        paths: folders, searched at any depth, and `runs.csv` files.
        required: key of a metric that a run must have, such as "test/map_full".
        commit: of the code that made the runs; None: the one checked out at the folder. A commit
            in a runs.csv has precedence.

    Raises:
        UserError: a path or all runs are missing, a file is damaged, two runs have the same row,
            size and seed and different metrics, or they are of HICO-DET and of V-COCO.
    """
    runs: list[Run] = []
    # By resolved path: a folder that is reached from two PATHs counts once.
    folders: dict[Path, tuple[RunFolder, str | None]] = {}
    failures: dict[Path, tuple[Path, str]] = {}
    for path in paths:
        if path.suffix == ".csv":
            read = read_runs_csv(path)
            runs += [run._replace(commit=run.commit or commit) for run in read]
        else:
            made_by = commit or commit_of(path)
            for folder in run_folders(path):
                # the first PATH that leads to a folder gives its place
                folders.setdefault(folder.folder.resolve(), (folder, made_by))
            for failed, reason in failed_runs(path).items():
                failures.setdefault(failed.resolve(), (failed, reason))

    finished, unfinished = [], []
    for place, (folder, made_by) in folders.items():
        if folder.metrics is None:
            if place not in failures:
                unfinished.append(folder.folder)
        else:
            finished.append((folder, made_by))
    runs += _named(finished)

    counted, without = [], []
    for run in runs:
        if math.isfinite(run.metrics.get(required, math.nan)):
            counted.append(run)
        else:
            without.append(run.folder)
    if not counted and without:
        split, _, metric = required.partition("/")
        known = sorted({name for run in runs for name in run.metrics})
        names = [name.removeprefix(f"{split}/") for name in known if name.startswith(f"{split}/")]
        raise UserError(
            f"{metric}: no finished run here has this metric of the {split} split; they have "
            f"{', '.join(names) or 'none of it'}"
        )
    if not counted:
        counts = {"failed": len(failures), "unfinished": len(unfinished)}
        shown = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
        rest = f" ({shown})" if shown else ""
        raise UserError(
            f"{', '.join(map(str, paths))}: no finished run here{rest}; a run is finished when "
            "rmlr-train has written its metrics.json"
        )
    _check_data_set(counted)
    named = [path.resolve() for path in paths]
    if len(counted) == 2 and [run.folder.resolve() for run in counted] == named:
        counted = _by_folder(counted)
    split = required.partition("/")[0]
    limits = {run.folder: run.limits[split] for run, _ in finished if split in run.limits}
    return FoundRuns(_unique(counted), unfinished, dict(failures.values()), without, limits)


def _check_data_set(runs: Sequence[Run]) -> None:
    """Role AP is a metric of V-COCO only; the mAP of its runs is over other classes."""
    of_vcoco = {run.folder: any("/role_ap" in name for name in run.metrics) for run in runs}
    first, is_vcoco = next(iter(of_vcoco.items()))
    other = next((folder for folder, one in of_vcoco.items() if one != is_vcoco), None)
    if other is not None:
        a, b = (first, other) if is_vcoco else (other, first)
        raise UserError(
            f"{a} is a run of V-COCO, {b} is not: their metrics are not comparable; give runs of "
            "one data set"
        )


def _by_folder(pair: list[Run]) -> list[Run]:
    """Two runs that were named to be compared, by their folders if their rows are the same.

    They may differ in what no configuration holds, such as the commit.
    """
    if len({(run.row, run.train, run.seed) for run in pair}) == 2:
        return pair
    return [
        run._replace(row=f"{run.row} ({run.folder})", label=f"{run.label} ({run.folder})")
        for run in pair
    ]


def _named(folders: Sequence[tuple[RunFolder, str | None]]) -> list[Run]:
    """Rows are called by the run's name and the overrides in which runs of that name differ."""
    # An override that all runs of a name share does not distinguish them.
    common: dict[str, set[str]] = {}
    for folder, _ in folders:
        overrides = set(folder.overrides)
        common[folder.name] = common.get(folder.name, overrides) & overrides

    runs = []
    for folder, commit in folders:
        swept = [item for item in folder.overrides if item not in common[folder.name]]
        runs.append(
            Run(
                row=" ".join((folder.name, *swept)),
                label=", ".join((folder.label, *swept)),
                train=folder.train,
                seed=folder.seed,
                folder=folder.folder,
                commit=commit,
                metrics=folder.metrics or {},
            )
        )
    return runs


def _unique(runs: Iterable[Run]) -> list[Run]:
    """One run per row, size and seed; the same run in two places counts once."""
    runs = list(runs)
    rows = list(dict.fromkeys(run.row for run in runs))
    kept: dict[tuple, Run] = {}
    for run in runs:
        key = (rows.index(run.row), run.train is not None, run.train or 0, run.seed)
        first = kept.setdefault(key, run)
        if _defined(first) != _defined(run):
            raise UserError(
                f"{first.folder} and {run.folder}: both are {run.row}, seed {run.seed}, and their "
                "metrics differ; remove one, or report the folders separately"
            )
    return [kept[key] for key in sorted(kept)]


def _defined(run: Run) -> dict[str, float]:
    """Metrics of the splits; seconds differ between repetitions."""
    metrics = run.metrics.items()
    return {name: value for name, value in metrics if "/" in name and not math.isnan(value)}
