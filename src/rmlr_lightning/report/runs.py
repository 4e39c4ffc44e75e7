"""The finished runs below some folders, by row, size of the training set and seed."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rmlr_lightning.errors import UserError

# Overrides that make no row of their own: what is told otherwise, and what does not change a result
NOT_SWEPT = re.compile(
    r"experiment|sweep|seed|name|label|resume|debug|logger.*|paths\..*|hydra.*|data\.prepare\.(config\.train|out|workers)"
    r"|data\.num_workers|trainer\.(devices|accelerator)"
)


class Run(NamedTuple):
    """A finished run."""

    folder: Path
    name: str
    swept: tuple[str, ...]  # the overrides in which runs of this name differ
    label: str
    train: int | None  # images to train on, where the data set is drawn
    seed: int
    figures: dict[str, float]

    @property
    def row(self) -> str:
        """How the command line calls it: the name and the swept values."""
        return " ".join((self.name, *self.swept))


class Found(NamedTuple):
    """What lies below the folders."""

    runs: list[Run]  # in the order of name, swept values, size and seed
    unfinished: list[Path]
    without: list[Path]  # finished, but the figure is not among theirs


def find_runs(folders: Iterable[Path], figure: str) -> Found:
    """Collect.

    Args:
        folders: to look in, at any depth.
        figure: that a run must have, such as "test/map_full".

    Raises:
        UserError: a folder or all runs are missing, a file is damaged, or two runs are of the same row, size and seed
            and do not agree.
    """
    runs, unfinished, without = [], [], []
    folders = list(folders)
    for home in sorted(
        {home.resolve(): home for folder in folders for home in _homes(folder)}.values()
    ):
        config = _config(home)
        if "name" not in config or "seed" not in config:
            continue  # of another console script
        if not (home / "metrics.json").exists():
            unfinished.append(home)
            continue
        figures = _figures(home / "metrics.json")
        if not math.isfinite(figures.get(figure, math.nan)):
            without.append(home)
            continue
        name, train = str(config["name"]), _below(config, "data", "prepare", "config", "train")
        label = str(config.get("label") or name.replace("_", " "))
        if not isinstance(config["seed"], int):
            raise UserError(
                f"{home / 'config.yaml'}: its seed is {config['seed']!r}, no number; mend or remove the run"
            )
        runs.append(Run(home, name, _overrides(home), label, train, config["seed"], figures))
    if not runs:
        rest = (
            f" ({len(unfinished)} unfinished, {len(without)} without {figure})"
            if unfinished or without
            else ""
        )
        raise UserError(f"{', '.join(map(str, folders))}: no finished run here{rest}; a run is finished when "
                        "rmlr-train has written its metrics.json")  # fmt: skip
    return Found(_unique(_only_what_differs(runs)), unfinished, without)


def _homes(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; give one that rmlr-train wrote to, such as multirun/ablation"
        )
    for file in folder.rglob("config.yaml"):
        yield file.parent.parent if file.parent.name == ".hydra" else file.parent


def _config(home: Path) -> dict[str, Any]:
    path = home / "config.yaml"  # absent where a run broke before it began to train
    path = path if path.exists() else home / ".hydra" / "config.yaml"
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            f"{path}: not a readable configuration ({_short(error)}); remove the run or mend it"
        ) from None
    return read if isinstance(read, dict) else {}


def _figures(path: Path) -> dict[str, float]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(value) for name, value in read.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: damaged ({_short(error)}); remove it and run that run again"
        ) from None


def _overrides(home: Path) -> tuple[str, ...]:
    path = home / ".hydra" / "overrides.yaml"
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not readable ({_short(error)}); remove it or the run") from None
    lines = [str(line).lstrip("+") for line in read or []]
    return tuple(sorted(line for line in lines if not NOT_SWEPT.fullmatch(line.partition("=")[0])))


def _only_what_differs(runs: Sequence[Run]) -> list[Run]:
    """Leaves out of `swept` what all runs of a name have in common."""
    common: dict[str, set[str]] = {}
    for run in runs:
        common[run.name] = common.get(run.name, set(run.swept)) & set(run.swept)
    return [
        run._replace(swept=tuple(s for s in run.swept if s not in common[run.name])) for run in runs
    ]


def _unique(runs: Iterable[Run]) -> list[Run]:
    kept: dict[tuple, Run] = {}
    for run in runs:
        key = (run.row, run.train is not None, run.train or 0, run.seed)
        first = kept.setdefault(key, run)
        if first.figures != run.figures and json.dumps(first.figures) != json.dumps(
            run.figures
        ):  # NaN is no NaN
            raise UserError(f"{first.folder} and {run.folder}: both are {run.row}, seed {run.seed}, and their figures "
                            "differ; remove one, or give the folders apart")  # fmt: skip
    return [kept[key] for key in sorted(kept)]


def _below(config: Any, *keys: str) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
