"""An exponential moving average of the trained weights."""

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Evaluates and keeps an exponential moving average of the weights that are trained.

    Lightning's own also averages what is frozen, which moves it by rounding errors, and integers, which moves them by
    one. Here frozen weights stay and buffers are copied. A checkpoint may lack what the task leaves out of it.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=self._average)
        self.decay = decay
        self._trained: set[int] = set()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            self._trained = {
                weight.data_ptr()
                for weight in self._average_model.parameters()
                if weight.requires_grad
            }

    def _average(self, averages: list[Tensor], currents: list[Tensor], _: Tensor) -> None:
        both = [
            pair
            for pair in zip(averages, currents, strict=True)
            if pair[0].data_ptr() in self._trained
        ]
        for average, current in both:
            average.lerp_(current, 1 - self.decay)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict
    ) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            return  # Lightning's own would test the weights that were not averaged
        for key in ("state_dict", "current_model_state"):
            if key in checkpoint:
                checkpoint[key] = (
                    pl_module.state_dict() | checkpoint[key]
                )  # they are loaded strictly
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
