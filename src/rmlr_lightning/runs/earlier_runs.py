"""How long earlier runs on this machine took, for the estimate of a sweep that has none yet."""

import json
import platform
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from rmlr_lightning.report.relevant_config import relevant
from rmlr_lightning.runs.config_hash import current_config
from rmlr_lightning.runs.environment import read_environment
from rmlr_lightning.runs.sweep_progress import ANY

MAX_RUNS = 12  # the newest; reading a configuration takes some milliseconds
# What the time per epoch depends on, beside the model
COMPARED = ("data", "features")
EPOCHS = ("max_epochs", "check_val_every_n_epoch", "num_sanity_val_steps")
# files of a run that are missing, damaged or of another kind
UNREADABLE = (OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
UNREADABLE += (RecursionError, yaml.YAMLError)


def earlier_seconds(cfg: DictConfig, folder: Path) -> dict[str | None, float]:
    """Seconds per run by experiment, of finished runs with the data of `cfg`; empty without any.

    They are multiplied by the ratio of epochs.

    Args:
        cfg: of the first run of a sweep.
        folder: of the sweep. Runs are searched in those beside it, and in outputs/.

    Returns:
        `ANY` has the mean over all, None the value of `cfg.name`.
    """
    places = [
        *folder.absolute().parent.glob("*/*/metrics.json"),
        *Path("outputs").glob("*/metrics.json"),
    ]
    newest = sorted(places, key=lambda path: path.stat().st_mtime)[-MAX_RUNS:]
    epochs = cfg.trainer.max_epochs
    if not newest or not isinstance(epochs, int) or epochs < 1:
        return {}
    try:
        here = _compared(current_config(cfg))
    except OmegaConfBaseException:  # a mistake, which the run itself reports
        return {}
    by_name: dict[str | None, list[float]] = {}
    for path in newest:
        try:
            config = _config(path.parent)
            if _compared(config) != here or not _is_of_this_machine(path.parent):
                continue
            seconds = float(json.loads(path.read_text(encoding="utf-8"))["fit_seconds"])
            seconds *= epochs / config["trainer"]["max_epochs"]
        except UNREADABLE:
            continue
        by_name.setdefault(config["name"], []).append(seconds)
    if not by_name:
        return {}
    means = {name: fmean(values) for name, values in by_name.items()}
    mean = fmean(means.values())
    return {**means, ANY: mean, None: means.get(cfg.name, mean)}


def _config(folder: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    return relevant(yaml.load((folder / "config.yaml").read_text(encoding="utf-8"), loader))


def _compared(config: dict[str, Any]) -> list[Any]:
    trainer = {key: value for key, value in config["trainer"].items() if key not in EPOCHS}
    return [trainer, *(config.get(name) for name in COMPARED)]


def _is_of_this_machine(folder: Path) -> bool:
    return read_environment(folder).get("machine") == platform.platform()
