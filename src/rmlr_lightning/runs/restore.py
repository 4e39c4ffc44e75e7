"""From a checkpoint to the task that made it."""

from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.models.checkpoint import read_checkpoint, read_vocabulary
from rmlr_lightning.tasks.hoi import HOITask, check_checkpoint


def recipe_of(path: str | Path, **changes: Any) -> DictConfig:
    """The configuration a checkpoint was trained with.

    Args:
        changes: top-level groups whose values replace those of the configuration, such as `paths` and `data`.

    Raises:
        UserError: see `read_checkpoint`.
    """
    return OmegaConf.merge(read_checkpoint(path)["config"], changes)


def restore(path: str | Path, scoring: bool = True, **changes: Any) -> tuple[HOITask, DictConfig]:
    """The task of a checkpoint, in evaluation mode, and its configuration.

    Losses and text are for training alone: neither is made.

    Args:
        scoring: read the true labels that some metrics want (twins, role AP); without, no data set need be there.
        changes: see `recipe_of`.

    Raises:
        UserError: see `read_checkpoint` and `check_checkpoint`.
    """
    checkpoint, cfg = read_checkpoint(path), recipe_of(path, **changes)
    cfg.task.module.losses, cfg.task.module.text = {}, None
    if not scoring:
        cfg.task.module.metrics = {}
    task: HOITask = instantiate(
        cfg.task.module, vocabulary=read_vocabulary(checkpoint["vocabulary"])
    )
    check_checkpoint(task, checkpoint, str(path))
    task.load_state_dict(checkpoint["state_dict"], strict=False)
    return task.eval(), cfg
