"""Which process does which run of a sweep, and whether a run is finished.

A sweep with `resume=auto` can be started again, and several times at once (`make ablation` starts
it twice). Every process goes through the same list of runs and does those that no other process
has finished or locked. Hydra's joblib launcher was tried for this: its jobs failed with
`data.num_workers=1`, and a job that ended with an error ended the other jobs as well.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.rank_zero import rank_zero_only

# Keys that do not change the result of a run
IRRELEVANT_KEYS = (
    "resume",
    "label",
    "paths",
    "logger",
    "data.num_workers",
    "data.prepare.workers",
    "features.path",
    "features.num_workers",
    "features.device",
    "features.batch_size",
)
WEIGHTS_FOLDER = "/rmlr_lightning/weights/"


@contextmanager
def acquire_run(cfg: DictConfig) -> Iterator[bool]:
    """Yields True if this process acquired the run.

    In a sweep with `resume=auto`, finished runs and runs locked by another process are skipped, and
    what a run of another configuration left in the folder is removed, so that it is not resumed.
    The lock is held inside the context; the system releases it if the process dies. All other runs
    are acquired without a lock.
    """
    if HydraConfig.get().mode != RunMode.MULTIRUN or cfg.resume != "auto":
        yield True
        return
    if rank_zero_only.rank != 0:  # a child process of a run that its first process has locked
        yield not is_finished(cfg)
        return

    # thread_local=False: the lock belongs to the process, whichever thread releases it.
    folder = Path(cfg.paths.output)
    lock = FileLock(folder / ".lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{folder}: skipped, another process is running it")
        yield False
        return

    # The folder is examined under the lock only: before, another process may still write to it.
    try:
        finished = is_finished(cfg)
        if finished:
            print(f"{folder}: skipped, already finished")
        elif not has_same_config(cfg):
            for name in ("metrics.json", "checkpoints/last.ckpt"):
                (folder / name).unlink(missing_ok=True)
        yield not finished
    finally:
        lock.release()


@contextmanager
def preparation_lock(folder: Path) -> Iterator[None]:
    """Inside the context no other process prepares data below the folder."""
    lock = FileLock(folder / ".prepare.lock", thread_local=False)
    with suppress(OSError):  # a read-only folder: its data exist, nothing is prepared
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_finished(cfg: DictConfig) -> bool:
    """Whether the output folder holds all metrics of this configuration."""
    metrics = read_metrics(cfg)
    is_tested = not cfg.test or any(name.startswith("test/") for name in metrics)
    return cfg.task.monitor in metrics and is_tested and has_same_config(cfg)


def read_metrics(cfg: DictConfig) -> dict[str, float]:
    """The metrics in the output folder; empty if they are missing or damaged."""
    path = Path(cfg.paths.output, "metrics.json")
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(value) for name, value in metrics.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def has_same_config(cfg: DictConfig) -> bool:
    """Whether config.yaml in the output folder gives the same result as this configuration."""
    # An unreadable file counts as another configuration: the run then starts anew.
    path = Path(cfg.paths.output, "config.yaml")
    try:
        earlier = yaml.safe_load(path.read_text(encoding="utf-8"))
        current = yaml.safe_load(OmegaConf.to_yaml(cfg, resolve=True))
        return _relevant(earlier) == _relevant(current)
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False


def _relevant(config: dict[str, Any]) -> dict[str, Any]:
    """A copy without irrelevant keys and without the places of files on this machine."""
    places = {str(config["paths"][name]): f"<{name}>" for name in ("output", "data")}
    # The output folder may be inside the data folder, or the reverse: replace the inner one first.
    places = dict(sorted(places.items(), key=lambda item: -len(item[0])))
    config = _without_places(config, places)

    # Options that only some configurations have may be missing.
    for key in IRRELEVANT_KEYS:
        *parents, name = key.split(".")
        group: Any = config
        for parent in parents:
            group = group.get(parent) if isinstance(group, dict) else None
        if isinstance(group, dict):
            group.pop(name, None)
    return config


def _without_places(value: Any, places: dict[str, str]) -> Any:
    """A copy in which folders that start with one of the places start with its name instead."""
    if isinstance(value, dict):
        return {key: _without_places(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item, places) for item in value]
    if not isinstance(value, str):
        return value

    for place, name in places.items():
        if value == place or value.startswith(f"{place}/"):
            return name + value[len(place) :]
    if WEIGHTS_FOLDER in value:  # another installation of the package has it elsewhere
        return WEIGHTS_FOLDER + value.rpartition(WEIGHTS_FOLDER)[2]
    return value
