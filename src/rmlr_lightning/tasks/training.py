"""What the training of both tasks has in common: no step of numbers that are not finite."""

import torch
from pytorch_lightning import LightningModule

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

    def on_train_epoch_end(self) -> None:
        self._check_finite()

    def on_validation_start(self) -> None:
        self._check_finite()

    def _check_finite(self) -> None:
        self.watch.read()
        check_weights(self, self._where())

    def _where(self) -> str:
        return f"epoch {self.current_epoch}"
