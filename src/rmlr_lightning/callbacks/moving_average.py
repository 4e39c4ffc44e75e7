"""An exponential moving average of the trained weights."""

from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Evaluates and stores an exponential moving average of the trained weights.

    Lightning's own class also averages frozen weights, which changes them by rounding errors, and
    integer buffers. Here frozen weights stay as they are and buffers are copied. A checkpoint may
    lack weights that the task does not store.

    Args:
        decay: average = decay * average + (1 - decay) * weights, after every optimiser step.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=self._average)
        self.decay = decay
        self._trained: set[int] = set()  # addresses of the averaged weights that are not frozen

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # By address, because `_average` is called with weights and without names.
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            weights = self._average_model.parameters()
            self._trained = {weight.data_ptr() for weight in weights if weight.requires_grad}

    def _average(self, averages: list[Tensor], currents: list[Tensor], count: Tensor) -> None:
        for average, current in zip(averages, currents, strict=True):
            if average.data_ptr() in self._trained:
                average.lerp_(current, 1 - self.decay)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # Outside of training Lightning's own hook would load the weights that were not averaged.
        if trainer.state.fn != TrainerFn.FITTING:
            return

        # It loads strictly: weights that the checkpoint lacks (the detector) come from the task.
        for key in ("state_dict", "current_model_state"):
            if key in checkpoint:
                checkpoint[key] = pl_module.state_dict() | checkpoint[key]
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
