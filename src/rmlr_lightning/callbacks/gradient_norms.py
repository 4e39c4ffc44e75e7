"""How strongly each loss term pulls: the norm of its gradient."""

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, stack
from torch.optim import Optimizer

from rmlr_lightning.callbacks.speed import log_scalars


class GradientNorms(Callback):
    """Logs `gradient/NAME` for each loss term at the end of each training epoch.

    The gradient is that of the weighted term with respect to what the trained stages give it: pair
    tokens and logits. One step of `every_n_steps` is run again for it, so that steps themselves
    cost nothing; the mean over these steps is logged. Training is not changed.

    Args:
        every_n_steps: steps between two measurements.
    """

    def __init__(self, every_n_steps: int = 30) -> None:
        self.every_n_steps = every_n_steps
        self._norms: dict[str, list[Tensor]] = {}

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        is_due = trainer.global_step % self.every_n_steps == 0
        # the detection task has no terms of its own
        is_due &= bool(trainer.loggers) and trainer.is_global_zero
        if is_due and hasattr(pl_module, "gradient_norms"):
            for name, norm in pl_module.gradient_norms().items():
                self._norms.setdefault(name, []).append(norm)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The one moment at which the CPU reads them: a step must not wait for a GPU.
        norms = {
            f"gradient/{name}": float(stack(values).mean()) for name, values in self._norms.items()
        }
        self._norms = {}
        if norms:
            log_scalars(trainer, norms)
