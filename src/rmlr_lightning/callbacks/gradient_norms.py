"""How strongly each loss term pulls: the norm of its gradient."""

from functools import partial
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rmlr_lightning.callbacks.speed import log_scalars
from rmlr_lightning.types import Prediction


class GradientNorms(Callback):
    """Logs `gradient/NAME` for each loss term at the end of each training epoch.

    The gradient is that of the weighted term with respect to what the trained stages give it: pair
    tokens and logits. Only the term itself is differentiated again, not the model, at one step of
    `every_n_steps`. The mean over these steps is logged. Training is not changed.

    Args:
        every_n_steps: steps between two measurements.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._is_due = False
        self._hooks: list[RemovableHandle] = []
        self._norms: dict[str, list[Tensor]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._norms = {}
        if trainer.loggers and trainer.is_global_zero:
            for name, loss in getattr(pl_module, "losses", {}).items():
                self._hooks.append(loss.register_forward_hook(partial(self._measure, name)))

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._is_due = trainer.global_step % self.every_n_steps == 0

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The one moment at which the CPU reads them: a step must not wait for a GPU.
        norms = {
            f"gradient/{name}": float(torch.stack(values).mean())
            for name, values in self._norms.items()
        }
        self._norms = {}
        if norms:
            log_scalars(trainer, norms)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # also after an error
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _measure(self, name: str, loss: nn.Module, inputs: tuple, term: Tensor) -> None:
        if not self._is_due or not loss.training or not term.requires_grad:
            return
        prediction: Prediction = inputs[0]
        outputs = (prediction.ire_tokens, prediction.irm_tokens, prediction.logits)
        outputs = [values for values in outputs if values.requires_grad]
        # The graph stays for the backward pass of the step.
        gradients = torch.autograd.grad(term, outputs, retain_graph=True, allow_unused=True)
        squares = [g.detach().float().square().sum() for g in gradients if g is not None]
        if squares:
            self._norms.setdefault(name, []).append(torch.stack(squares).sum().sqrt())
