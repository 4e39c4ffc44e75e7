"""From a configuration or a checkpoint to a task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import read_checkpoint, read_vocabulary
from rmlr_lightning.ops.object_classes import without_detections
from rmlr_lightning.runs.config import register_resolvers
from rmlr_lightning.runs.released import (
    check_dilation,
    load_released,
    released_config,
    released_head_of,
    released_vocabulary,
)
from rmlr_lightning.runs.targets import check_targets
from rmlr_lightning.tasks.hoi import HOITask, calibration_of, check_checkpoint
from rmlr_lightning.text.encoder import TextEncoder


def new_task(cfg: DictConfig, datamodule: DataModule) -> LightningModule:
    """The untrained task of a configuration, with the classes of its data.

    Raises:
        UserError: a task that trains on boxes with data of interactions, or the reverse.
    """
    has_boxes = datamodule.vocabulary is None
    if cfg.task.get("boxes", False) != has_boxes:
        expected = "interactions, such as data=hicodet" if has_boxes else "boxes: data=*_boxes"
        raise UserError(f"this task trains on {expected}; choose the data set with data=...")
    if has_boxes:
        return instantiate(cfg.task.module, objects=datamodule.objects)
    task = instantiate(cfg.task.module, vocabulary=datamodule.vocabulary)
    note_lost_hois(task, datamodule, "train")
    return task


def note_lost_hois(task: HOITask, datamodule: DataModule, split: str) -> None:
    """Print a note if the detector lacks object classes of HOIs, and its detections are used."""
    if getattr(datamodule.uncached_dataset(split), "external", None) is None:
        line = without_detections(task.model.detector.objects, datamodule.vocabulary)
        if line is not None:
            rank_zero_only(print)(f"note: {line}")


def frozen_weights(cfg: DictConfig, task: LightningModule) -> dict[str, str | None]:
    """What identifies the weights that a task reads and does not train, for `environment.json`."""
    detector = getattr(getattr(task, "model", None), "detector", None)
    return {
        "detector": detector.fingerprint()["weights"] if detector is not None else None,
        "text_encoder": text_encoder_weights(cfg) if getattr(task, "reads_text", False) else None,
    }


def text_encoder_weights(cfg: DictConfig) -> str | None:
    """What identifies the weights of the text encoder (`text.model_files`); None without one."""
    for key in ("text.encoder", "text.bank.encoder"):  # of a bank, of a control with a bank
        encoder = OmegaConf.select(cfg, key)
        made = instantiate(encoder) if isinstance(encoder, DictConfig) else None
        if isinstance(made, TextEncoder):
            return made.fingerprint()["weights"]
    return None


def checkpoint_config(path: str | Path, **changes: Any) -> DictConfig:
    """The configuration that a checkpoint was trained with.

    Args:
        path: a checkpoint of rmlr-train, or a released one of UPT or PViC (`runs.released`).
        changes: config groups whose values replace those of training, such as `paths` and `data`.
            A whole group, one with a `_target_`, takes the place of the checkpoint's.

    Raises:
        UserError: see `read_checkpoint` and `runs.targets`.
    """
    register_resolvers()
    head = released_head_of(path)
    if head:
        return changed(released_config(head, path), changes)
    return changed(_trusted_config(read_checkpoint(path), path), changes)


def load_task(path: str | Path, metrics: bool = True, **changes: Any) -> tuple[HOITask, DictConfig]:
    """The task of a checkpoint, in evaluation mode, and its configuration.

    Losses and text embeddings are used in training only and are not made.

    Args:
        metrics: make the metrics; some read annotation files. Without them no data set is needed.
        changes: see `checkpoint_config`.

    Raises:
        UserError: see `read_checkpoint`, `runs.targets` and `check_checkpoint`, and for released
            checkpoints `runs.released`.
    """
    register_resolvers()
    head = released_head_of(path)
    checkpoint = None if head else read_checkpoint(path)
    config = released_config(head, path) if head else _trusted_config(checkpoint, path)
    cfg = changed(config, changes)
    # A loss would make the text embeddings, and so need the language model.
    cfg.task.module.losses = {}
    cfg.task.module.text = None
    # The checkpoint has the weights of a network that was trained on the pixels.
    remine = cfg.model.get("remine", {})
    if "pretrained" in remine and not remine.get("frozen"):
        remine.update(pretrained=False, weights=None)
    if not metrics:
        cfg.task.module.metrics = {}

    if head is not None:
        check_dilation(cfg)
        task = instantiate(cfg.task.module, vocabulary=released_vocabulary(head, path))
        load_released(task.model, head, path)
        return task.eval(), cfg

    vocabulary = read_vocabulary(checkpoint["vocabulary"])
    task = instantiate(cfg.task.module, vocabulary=vocabulary)
    check_checkpoint(task, checkpoint, str(path))
    # Not strict: a checkpoint lacks the detector's weights and may hold those of losses.
    task.load_state_dict(checkpoint["state_dict"], strict=False)
    task.calibration = calibration_of(checkpoint, str(path))
    return task.eval(), cfg


def _trusted_config(checkpoint: dict[str, Any], path: str | Path) -> dict[str, Any]:
    check_targets(checkpoint["config"], str(path))
    return checkpoint["config"]


def changed(config: Any, changes: Mapping[str, Any]) -> DictConfig:
    """A configuration with some of its values, or whole groups, replaced."""
    config = OmegaConf.create(config)
    for name, change in changes.items():
        # Keys of two data sets do not mix: a whole group replaces the other one.
        if isinstance(change, Mapping | DictConfig) and "_target_" in change:
            config[name] = {}
    return OmegaConf.merge(config, dict(changes))
