"""How long other runs took, for the estimate of a sweep that has none of its own yet."""

import json
import platform
from importlib import resources
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from rmlr_lightning.report.relevant_config import relevant
from rmlr_lightning.runs.config_hash import current_config
from rmlr_lightning.runs.environment import read_environment
from rmlr_lightning.runs.sweep_progress import NOTHING, Earlier, ratio

MAX_RUNS = 12  # the newest; reading a configuration takes some milliseconds
# What the time per epoch depends on, beside the model
COMPARED = ("data", "features")
EPOCHS = ("max_epochs", "check_val_every_n_epoch", "num_sanity_val_steps")
# files of a run that are missing, damaged or of another kind
UNREADABLE = (OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
UNREADABLE += (RecursionError, yaml.YAMLError)


def earlier_runs(cfg: DictConfig, folder: Path) -> Earlier:
    """Seconds per run of finished runs with the data of `cfg` on this machine.

    On the synthetic benchmark those of docs/RESULTS.md follow, by the ratio of the rows that both
    have. Seconds of training are multiplied by the ratio of epochs.

    Args:
        cfg: of the first run of a sweep.
        folder: of the sweep. Runs are searched in those beside it, and in outputs/.
    """
    epochs = cfg.trainer.max_epochs
    if not isinstance(epochs, int) or epochs < 1:
        return NOTHING
    try:
        config = current_config(cfg)
    except (OmegaConfBaseException, LookupError):  # a mistake, which the run itself reports
        return NOTHING
    found, tests = _found(config, folder)
    published = _published(config)
    factor = ratio(found, published)  # also by rows that the sweep does not have
    published = {name: factor * value for name, value in published.items()}
    seconds = [times for times in (found, published) if times]
    if not seconds:
        return NOTHING
    basis = "earlier runs with these data" if found else "runs on another machine"
    return Earlier(seconds, basis, cfg.name, fmean(tests) if tests and cfg.test else 0.0)


def _found(config: dict[str, Any], folder: Path) -> tuple[dict[str, float], list[float]]:
    """The mean seconds of training by experiment, and the seconds of each test."""
    places = [
        *folder.absolute().parent.glob("*/*/metrics.json"),
        *Path("outputs").glob("*/metrics.json"),
    ]
    newest = sorted(places, key=lambda path: path.stat().st_mtime)[-MAX_RUNS:]
    here, epochs = _compared(config), config["trainer"]["max_epochs"]
    by_name: dict[str, list[float]] = {}
    tests = []
    for path in newest:
        try:
            other = _config(path.parent)
            if _compared(other) != here or not _is_of_this_machine(path.parent):
                continue
            metrics = json.loads(path.read_text(encoding="utf-8"))
            seconds = float(metrics["fit_seconds"]) * epochs / other["trainer"]["max_epochs"]
            if "test_seconds" in metrics:  # else it was trained with test=false
                tests.append(float(metrics["test_seconds"]))
        except UNREADABLE:
            continue
        by_name.setdefault(other["name"], []).append(seconds)
    return {name: fmean(values) for name, values in by_name.items()}, tests


def _published(config: dict[str, Any]) -> dict[str, float]:
    """CPU seconds of the rows of docs/RESULTS.md, for as many drawn images and epochs."""
    try:
        images = config["data"]["prepare"]["config"]["train"]
        file = resources.files("rmlr_lightning.runs") / "ablation_seconds.json"
        published = json.loads(file.read_text(encoding="utf-8"))
        factor = images / published["images"]
        factor *= config["trainer"]["max_epochs"] / published["epochs"]
        published["seconds"][config["name"]]
    except (LookupError, TypeError):  # other data, another task
        return {}
    return {name: seconds * factor for name, seconds in published["seconds"].items()}


def _config(folder: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    return relevant(yaml.load((folder / "config.yaml").read_text(encoding="utf-8"), loader))


def _compared(config: dict[str, Any]) -> list[Any]:
    trainer = {key: value for key, value in config["trainer"].items() if key not in EPOCHS}
    return [trainer, *(config.get(name) for name in COMPARED)]


def _is_of_this_machine(folder: Path) -> bool:
    return read_environment(folder).get("machine") == platform.platform()
