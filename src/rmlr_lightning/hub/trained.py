"""From a checkpoint of rmlr-train to a model that can be saved, with how it was trained."""

import json
import math
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.saved_model import SavedModel
from rmlr_lightning.models.checkpoint import read_checkpoint
from rmlr_lightning.ops.selection_counts import PREFIX
from rmlr_lightning.runs.load_task import load_task

TESTED = "best.ckpt"  # the checkpoint of a run that its metrics.json is about


def trained_model(
    path: Path, metrics: Path | None = None, dilation: bool | None = None
) -> SavedModel:
    """The model of a checkpoint, without losses.

    Args:
        metrics, dilation: see `HOIDetector.from_checkpoint`.

    Raises:
        UserError: not a checkpoint of this version, or no such metrics.
    """
    # Metrics would need the annotations, and losses the text embeddings.
    changes = {} if dilation is None else {"model": {"detector": {"dilation": dilation}}}
    task, cfg = load_task(path, metrics=False, **changes)
    parts = OmegaConf.to_container(cfg.model, resolve=True)
    del parts["detector"]
    parts["compiled"] = False
    own_parts = getattr(task.model.remine, "parts", None)
    if own_parts is not None:
        parts["remine"] = own_parts()

    training = {"name": cfg.name}
    # a released checkpoint of UPT or PViC states nothing of its training
    if "released" in cfg:
        training["released"] = cfg.released
    else:
        commit = read_checkpoint(path).get("commit")
        training |= {"seed": cfg.seed, "commit": commit, "data": _data(cfg.data)}
    training["metrics"] = _metrics(path, metrics)
    resize = OmegaConf.to_container(cfg.data.test.resize, resolve=True)
    return SavedModel(
        task.model,
        instantiate(cfg.data.test.resize),
        task.vocabulary,
        parts,
        resize,
        training,
        task.calibration,
    )


def _data(cfg: DictConfig) -> dict[str, Any]:
    """The annotation files, without the folders of this machine; sizes of a synthetic benchmark."""
    splits = {
        split: [Path(file).name for file in _files(cfg[split].annotations)]
        for split in ("train", "test")
    }
    # All settings of the generator, so that the images can be drawn again.
    synthetic = OmegaConf.select(cfg, "prepare.config")
    if synthetic is None:
        return splits
    values = OmegaConf.to_container(synthetic, resolve=True)
    values.pop("_target_", None)
    return splits | {"synthetic": values}


def _files(annotations: Any) -> list[str]:
    """One file, or several by name."""
    if isinstance(annotations, str):
        return [annotations]
    values = annotations.values() if isinstance(annotations, DictConfig) else annotations
    return [str(value) for value in values]


def _metrics(path: Path, metrics: Path | None) -> dict[str, float]:
    """The metrics of the test split; {} if they are not known to be of this checkpoint."""
    # A run tests its best checkpoint and writes metrics.json last: no other one is meant by it.
    if metrics is None:
        metrics = path.resolve().parents[1] / "metrics.json"
        if path.name != TESTED or not metrics.is_file():
            return {}
    try:
        values = json.loads(metrics.read_text(encoding="utf-8"))
        # JSON has no NaN: a metric without classes is left out
        return {
            name: float(value)
            for name, value in values.items()
            if name.startswith("test/") and PREFIX not in name and math.isfinite(value)
        }
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f"{metrics}: not a metrics.json of rmlr-train or rmlr-eval") from error
