"""The checkpoint from which a run resumes, and what may be different from its first part."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import load_checkpoint
from rmlr_lightning.runs.secrets import words_without_secrets

# What `resume=last` looks for, in this order. The second is the one that `last` replaced.
FILES = ("last.ckpt", "previous.ckpt", "best.ckpt")
DAMAGED = ".damaged"

# Options that may differ when a run resumes. All others must be those of its checkpoint.
APPLIED = (
    "name",
    "label",
    "report",
    "resume",
    "test",
    "export",
    "paths",
    "logger",
    "callbacks",
    "optim.lr",
    "optim.lr_overrides",
    "optim.images",
    "optim.weight_decay",
    "optim.warmup",
    "optim.schedule",
    "optim.betas",
    "data.num_workers",
    "data.eval_batch_size",
    "data.prepare.workers",
    "features.path",
    "features.num_workers",
    "features.device",
    "features.batch_size",
    "model.detector.path",  # its weights are compared by their hash
    "model.irm.text_dim",  # follows from the text encoder
    "task.monitor",
    "task.module.half_precision",
    "trainer.max_epochs",
    "trainer.min_epochs",
    "trainer.max_steps",
    "trainer.min_steps",
    "trainer.max_time",
    "trainer.accelerator",
    "trainer.precision",
    "trainer.strategy",  # the number of processes is compared where the checkpoint is loaded
    "trainer.gradient_clip_val",
    "trainer.check_val_every_n_epoch",
    "trainer.limit_val_batches",
    "trainer.limit_test_batches",
    "trainer.log_every_n_steps",
    "trainer.num_sanity_val_steps",
    "trainer.default_root_dir",
    "trainer.deterministic",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.profiler",
)
# Exceptions among them: their states in a checkpoint differ
FIXED = ("callbacks.ema._target_",)
MISSING = "missing"


def resume_path(cfg: DictConfig, run_config: Mapping[str, Any]) -> str | None:
    """The checkpoint that `resume` names; None to start from the beginning.

    `resume` is null, a file, `last` (last.ckpt of the output folder) or `auto` (the same if it
    exists, else null). In place of a damaged last.ckpt the one before it is taken, or the best.

    Args:
        run_config: `cfg` unresolved, as plain containers.

    Raises:
        UserError: there is no such checkpoint, it holds weights only, or an option differs from
            its own that must not; see also `load_checkpoint`.
    """
    if cfg.resume is None:
        return None
    if cfg.resume in ("last", "auto"):
        found = _newest(Path(cfg.paths.output, "checkpoints"))
        if found is None and cfg.resume == "auto":
            return None
        if found is None:
            folder = Path(cfg.paths.output, "checkpoints")
            raise UserError(
                f"resume=last: {folder / FILES[0]} is no checkpoint; leave `resume` out to start "
                "a new run"
            )
        path, checkpoint = found
    else:
        path = Path(cfg.resume)
        if not path.is_file():
            raise UserError(
                f"resume={cfg.resume}: {path} is no checkpoint; leave `resume` out to start a "
                "new run"
            )
        checkpoint = load_checkpoint(path)

    # Lightning would start such a run from epoch 0 with new optimiser states.
    if not {"optimizer_states", "loops"} <= checkpoint.keys():
        raise UserError(
            f"resume={cfg.resume}: {path} holds no training state (optimiser, epoch); leave "
            "`resume` out to start a new run"
        )
    check_options(run_config, checkpoint.get("config") or {}, f"resume={cfg.resume}")
    _note_resumed(cfg, path, checkpoint)
    return str(path)


def _note_resumed(cfg: DictConfig, path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Print at which epoch the run resumes, or that it goes straight to its test."""
    limit = OmegaConf.select(cfg, "trainer.max_epochs")
    progress = checkpoint["loops"].get("fit_loop", {}).get("epoch_progress", {})
    # "completed" is one less in a checkpoint of an epoch's end
    epochs = progress.get("current", {}).get("processed", 0)
    if limit is None or limit < 0 or epochs < limit:
        of_all = f" of {limit}" if (limit or 0) > 0 else ""
        rank_zero_only(print)(f"resuming from {path}, at epoch {epochs + 1}{of_all}")
        return
    then = "the best checkpoint is tested again" if cfg.test else "nothing is left to do"
    rank_zero_only(print)(
        f"{path}: the training is finished, {epochs} of {limit} epochs; {then} "
        f"(a larger trainer.max_epochs, such as {2 * epochs}, trains longer)"
    )


def how_to_resume(cfg: DictConfig) -> str:
    """What the user of a run that was stopped can do."""
    folder = Path(cfg.paths.output)
    if not any((folder / "checkpoints" / name).is_file() for name in FILES):
        return f"{folder} has no checkpoint yet, start the run again"
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return "start the sweep again to resume"
    typed = [
        override
        for override in words_without_secrets(HydraConfig.get().overrides.task)
        if override.lstrip("+").partition("=")[0] != "resume"
    ]
    run_dir = HydraConfig.get().run.dir
    if not re.fullmatch(r"[\w./+-]+", run_dir, re.ASCII):  # Hydra's grammar wants quotes then
        run_dir = "'" + run_dir.replace("\\", "\\\\").replace("'", "\\'") + "'"
    command = ["rmlr-train", *typed, f"hydra.run.dir={run_dir}", "resume=last"]
    return "resume with: " + shlex.join(command)


def _newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint of a folder that can be read; None if it holds none.

    Raises:
        UserError: all of its checkpoints are damaged.
    """
    errors = []
    for name in FILES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            checkpoint = load_checkpoint(path)
        except UserError as error:
            errors.append((path, error))
            continue
        if path.name != FILES[0]:
            reasons = "; ".join(str(error) for _, error in errors) or f"no {FILES[0]}"
            rank_zero_only(print)(f"{reasons}; {path.name} takes its place")
        if rank_zero_only.rank == 0:
            # moved away: the next checkpoint would otherwise keep it in place of the good one
            for damaged, _ in errors:
                damaged.rename(damaged.with_name(damaged.name + DAMAGED))
        return path, checkpoint
    if errors:
        raise errors[0][1]
    return None


def check_options(
    current: Mapping[str, Any], trained: Mapping[str, Any], resume: str = "resume"
) -> None:
    """Compare the options of a run with those of the checkpoint that it resumes from.

    Args:
        current, trained: configurations, unresolved.
        resume: what the message calls the checkpoint.

    Raises:
        UserError: an option differs that cannot change within a run.
    """
    # The checkpoint may have been written elsewhere: its places are those of this run.
    trained = {**trained, "paths": current.get("paths", {})}
    ours, theirs = _flat(current), _flat(trained)
    for key in sorted(ours.keys() | theirs.keys()):
        now, before = ours.get(key, MISSING), theirs.get(key, MISSING)
        if now == before or (_starts(key, APPLIED) and not _starts(key, FIXED)):
            continue
        raise UserError(
            f"{resume}: {key}={now} cannot change in a resumed run, its checkpoint has {before}; "
            "leave it out, or leave `resume` out to start a new run"
        )
    _check_overrides(ours, theirs, resume)


def _check_overrides(ours: Mapping[str, Any], theirs: Mapping[str, Any], resume: str) -> None:
    # A name more or less regroups the parameters, whose moments a checkpoint holds by group.
    differing = {
        key for key in ours.keys() ^ theirs.keys() if _starts(key, ("optim.lr_overrides",))
    }
    if differing:
        key = min(differing)
        raise UserError(
            f"{resume}: {key} cannot be added or removed in a resumed run, only changed; leave it "
            "as it was, or leave `resume` out to start a new run"
        )


def _starts(key: str, prefixes: tuple[str, ...]) -> bool:
    return any(key == prefix or key.startswith((f"{prefix}.", f"{prefix}[")) for prefix in prefixes)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """All values by their full keys, resolved; those that cannot be resolved as they stand."""
    made = OmegaConf.create(dict(config))
    flat: dict[str, Any] = {}

    def add(node: Any, written: Any, key: str) -> None:
        if isinstance(written, str) and isinstance(node, (dict, list)):
            flat[key] = written  # another name of a group, which has its values itself
        elif isinstance(node, dict):
            for name, child in node.items():
                add(child, written[name], f"{key}.{name}" if key else str(name))
        elif isinstance(node, list):
            for index, child in enumerate(node):
                add(child, written[index], f"{key}[{index}]")
        else:
            flat[key] = node

    add(OmegaConf.to_container(made, resolve=True), OmegaConf.to_container(made), "")
    return flat
