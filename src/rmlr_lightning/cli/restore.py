"""From a checkpoint to the task that made it."""

from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.models.checkpoint import read_checkpoint, read_vocabulary
from rmlr_lightning.tasks.hoi import HOITask, check_checkpoint


def restore(path: str | Path, scoring: bool = True, **changes: Any) -> tuple[HOITask, DictConfig]:
    """The task of a checkpoint, in evaluation mode, and the configuration it was trained with.

    Losses and text are for training alone: neither is made.

    Args:
        scoring: read the true labels that some metrics want (twins, role AP); without, no data set need be there.
        changes: top-level keys of the configuration to replace, such as `paths`.

    Raises:
        UserError: see `read_checkpoint` and `check_checkpoint`.
    """
    checkpoint = read_checkpoint(path)
    cfg = OmegaConf.create(checkpoint["recipe"])
    for key, value in changes.items():
        cfg[key] = value
    cfg.task.module.losses, cfg.task.module.text = {}, None
    if not scoring:
        cfg.task.module.twins = cfg.task.module.role_truth = None
    task: HOITask = instantiate(cfg.task.module, vocabulary=read_vocabulary(checkpoint["vocabulary"]))
    check_checkpoint(task, checkpoint, str(path))
    task.load_state_dict(checkpoint["state_dict"], strict=False)
    return task.eval(), cfg
