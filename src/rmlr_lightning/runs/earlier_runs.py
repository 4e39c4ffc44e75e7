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
from rmlr_lightning.runs.sweep_progress import ANY, NOTHING, Earlier

MAX_RUNS = 12  # the newest; reading a configuration takes some milliseconds
# What the time per epoch depends on, beside the model
COMPARED = ("data", "features")
EPOCHS = ("max_epochs", "check_val_every_n_epoch", "num_sanity_val_steps")
# files of a run that are missing, damaged or of another kind
UNREADABLE = (OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
UNREADABLE += (RecursionError, yaml.YAMLError)


def earlier_runs(cfg: DictConfig, folder: Path) -> Earlier:
    """Seconds per run by experiment; `ANY` has the mean over all, None the value of `cfg.name`.

    They are of finished runs with the data of `cfg` on this machine, else, on the synthetic
    benchmark, those of docs/RESULTS.md. They are multiplied by the ratio of epochs.

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
    if found := _found(config, folder):
        means = {name: fmean(values) for name, values in found.items()}
        basis = "earlier runs with these data"
    elif found := _published(config):
        means, basis = found, "runs on another machine"
    else:
        return NOTHING
    mean = fmean(means.values())
    return Earlier({**means, ANY: mean, None: means.get(cfg.name, mean)}, basis)


def _found(config: dict[str, Any], folder: Path) -> dict[str, list[float]]:
    places = [
        *folder.absolute().parent.glob("*/*/metrics.json"),
        *Path("outputs").glob("*/metrics.json"),
    ]
    newest = sorted(places, key=lambda path: path.stat().st_mtime)[-MAX_RUNS:]
    here, epochs = _compared(config), config["trainer"]["max_epochs"]
    by_name: dict[str, list[float]] = {}
    for path in newest:
        try:
            other = _config(path.parent)
            if _compared(other) != here or not _is_of_this_machine(path.parent):
                continue
            seconds = float(json.loads(path.read_text(encoding="utf-8"))["fit_seconds"])
            seconds *= epochs / other["trainer"]["max_epochs"]
        except UNREADABLE:
            continue
        by_name.setdefault(other["name"], []).append(seconds)
    return by_name


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
