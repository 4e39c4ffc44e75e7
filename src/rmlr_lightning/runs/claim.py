"""Sweeps that go on where they stopped, worked off by several processes side by side.

A sweep with `resume=auto` may be started again, and more than once at the same time (`make ablation` starts it twice):
every process walks through the same list of runs, and each run is done by whoever comes first. Hydra's joblib launcher
was tried for this: with `data.num_workers=1` its jobs failed, and a job that left with an error took the others along.
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

# What does not change a result
NO_MATTER = ("resume", "label", "paths", "logger", "data.num_workers", "data.prepare.workers", "features.path",
             "features.num_workers", "features.device", "features.batch_size")  # fmt: skip


SHIPPED = "/rmlr_lightning/weights/"


@contextmanager
def turn(cfg: DictConfig) -> Iterator[bool]:
    """Whether this process shall do the run: always, except in a sweep with `resume=auto`.

    There a run that is finished or that another process is doing is passed over, and the rest of a run of another
    configuration is removed, so that it starts anew. The run is held while the context lasts, and given back by the
    system if the process dies.
    """
    if HydraConfig.get().mode != RunMode.MULTIRUN or cfg.resume != "auto":
        yield True
        return
    if rank_zero_only.rank != 0:  # the first process of the run decides for all
        yield not finished(cfg)
        return
    home = Path(cfg.paths.output)
    lock = FileLock(home / ".lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{home}: another process is at it, passed over")
        yield False
        return
    try:
        done = finished(cfg)
        if done:
            print(f"{home}: finished before, not repeated")
        elif not same_configuration(cfg):
            for name in ("metrics.json", "checkpoints/last.ckpt"):
                (home / name).unlink(missing_ok=True)
        yield not done
    finally:
        lock.release()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process of ours makes data below the folder."""
    lock = FileLock(folder / ".prepare.lock", thread_local=False)
    with suppress(OSError):  # a folder that can only be read: there is nothing to make
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def finished(cfg: DictConfig) -> bool:
    """Whether the output folder holds the figures of this very configuration, all of them."""
    figures = kept_figures(cfg)
    tested = not cfg.test or any(name.startswith("test/") for name in figures)
    return cfg.task.monitor in figures and tested and same_configuration(cfg)


def kept_figures(cfg: DictConfig) -> dict[str, float]:
    """The figures in the output folder; none where they are missing or damaged."""
    try:
        read = json.loads(Path(cfg.paths.output, "metrics.json").read_text(encoding="utf-8"))
        return {name: float(value) for name, value in read.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def same_configuration(cfg: DictConfig) -> bool:
    """Whether config.yaml in the output folder says the same, but for places and what does not change a result."""
    try:
        there = yaml.safe_load(Path(cfg.paths.output, "config.yaml").read_text(encoding="utf-8"))
        return _comparable(there) == _comparable(
            yaml.safe_load(OmegaConf.to_yaml(cfg, resolve=True))
        )
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    places = {str(config["paths"][name]): f"<{name}>" for name in ("output", "data")}
    places = dict(sorted(places.items(), key=lambda item: -len(item[0])))  # the inner one first
    config = _without_places(config, places)
    for key in NO_MATTER:
        *parents, last = key.split(".")
        part: Any = config
        for parent in parents:
            part = part.get(parent) if isinstance(part, dict) else None
        if isinstance(part, dict):
            part.pop(last, None)
    return config


def _without_places(value: Any, places: dict[str, str]) -> Any:
    """A copy in which folders that begin with a place of this machine do so no longer."""
    if isinstance(value, dict):
        return {key: _without_places(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item, places) for item in value]
    if isinstance(value, str):
        for place, name in places.items():
            if value == place or value.startswith(f"{place}/"):
                return name + value[len(place) :]
        if SHIPPED in value:  # the package may be installed elsewhere
            return SHIPPED + value.rpartition(SHIPPED)[2]
    return value
