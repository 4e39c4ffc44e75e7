"""What the training of both tasks has in common: no step of numbers that are not finite."""

import torch
from pytorch_lightning import LightningModule
from torch.nn.utils import clip_grads_with_norm_

from rmlr_lightning.tasks.finite import FiniteSteps, check_weights


class FiniteTraining(LightningModule):
    """A LightningModule whose training steps are watched.

    Args:
        not_finite, max_skipped: policy and limit of `tasks.finite.FiniteSteps`.
    """

    def __init__(self, not_finite: str = "stop", max_skipped: int = 10) -> None:
        super().__init__()
        self.watch = FiniteSteps(not_finite, max_skipped)

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

    def _check_finite(self) -> None:
        self.watch.read()
        check_weights(self, self._where())

    def _where(self) -> str:
        return f"epoch {self.current_epoch}"
