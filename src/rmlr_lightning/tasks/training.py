"""What the training of both tasks has in common: finite steps, and their state in checkpoints."""

from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.trainer.states import TrainerFn
from torch.nn.utils import clip_grads_with_norm_

from rmlr_lightning.errors import SharedError, counted
from rmlr_lightning.models.checkpoint import CHECKPOINT_FORMAT
from rmlr_lightning.tasks.finite import FiniteSteps, check_weights
from rmlr_lightning.tasks.step import world_size


class FiniteTraining(LightningModule):
    """A LightningModule whose training steps are watched.

    Args:
        not_finite, max_skipped: policy and limit of `tasks.finite.FiniteSteps`.
    """

    def __init__(self, not_finite: str = "stop", max_skipped: int = 10) -> None:
        super().__init__()
        self.watch = FiniteSteps(not_finite, max_skipped)
        self.run_config: dict[str, Any] = {}  # kept in checkpoints, so that they can be used alone

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        # with float16, Lightning scales the loss
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        self.watch.end(optimizer, weights, f"{self._where()}, step {self.global_step}", scaled)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Lightning's, with the norm of the gradient that the watch has computed already."""
        by_norm = (gradient_clip_algorithm or "norm") == "norm"
        if not (gradient_clip_val and by_norm) or self.watch.norm is None:
            super().configure_gradient_clipping(
                optimizer, gradient_clip_val, gradient_clip_algorithm
            )
            return
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        clip_grads_with_norm_(weights, gradient_clip_val, self.watch.norm)

    def on_train_epoch_end(self) -> None:
        self._check_finite()

    def on_validation_start(self) -> None:
        self._check_finite()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.watch.read()
        checkpoint["format"] = CHECKPOINT_FORMAT
        checkpoint["config"] = self.run_config
        checkpoint["skipped"] = self.watch.skipped
        checkpoint["processes"] = world_size()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the count of skipped steps.

        Raises:
            SharedError: a run that resumes with another number of processes: its steps would have
                more or fewer images, and those that are left of an epoch would be others.
        """
        if not self._resumes():
            return
        processes = checkpoint.get("processes", world_size())
        if processes != world_size():
            raise SharedError(
                f"resume: the run had {counted(processes, 'process', 'processes')} and now has "
                f"{world_size()}, which "
                f"cannot change in a resumed run; use trainer.devices={processes}, or leave "
                "`resume` out to start a new run"
            )
        self.watch.skipped = checkpoint.get("skipped", 0)

    def _resumes(self) -> bool:
        """Whether a checkpoint that is loaded is that of an unfinished training."""
        return self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING

    def _check_finite(self) -> None:
        self.watch.read()
        check_weights(self, self._where())

    def _where(self) -> str:
        return f"epoch {self.current_epoch}"
