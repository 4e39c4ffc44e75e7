"""The checkpoint from which a run resumes."""

from pathlib import Path

from omegaconf import DictConfig

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import load_checkpoint


def resume_path(cfg: DictConfig) -> str | None:
    """The checkpoint that `resume` names; None to start from the beginning.

    `resume` is null, a file, `last` (last.ckpt of the output folder) or `auto` (the same if it
    exists, else null).

    Raises:
        UserError: there is no such checkpoint, or it holds weights only; see also
            `load_checkpoint`.
    """
    last = Path(cfg.paths.output, "checkpoints", "last.ckpt")
    if cfg.resume is None or (cfg.resume == "auto" and not last.is_file()):
        return None

    path = last if cfg.resume in ("last", "auto") else Path(cfg.resume)
    if not path.is_file():
        raise UserError(
            f"resume={cfg.resume}: {path} is no checkpoint; leave `resume` out to start a new run"
        )
    # Lightning would start such a run from epoch 0 with new optimiser states.
    checkpoint = load_checkpoint(path)
    if not {"optimizer_states", "loops"} <= checkpoint.keys():
        raise UserError(
            f"resume={cfg.resume}: {path} holds no training state (optimiser, epoch); leave "
            "`resume` out to start a new run"
        )
    return str(path)
