"""Loss and validation curves of a run."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from rmlr_lightning.callbacks.optional_output import optional_output
from rmlr_lightning.drawing.curves import draw_curves


class Curves(Callback):
    """Plots logged values over epochs, anew after every epoch.

    Args:
        path: the PNG.
        metrics: names of logged values, or patterns such as `val/map_*`. Values that a run does
            not log are left out.
    """

    def __init__(self, path: str, metrics: Sequence[str]) -> None:
        self.path = Path(path)
        self.metrics = tuple(metrics)
        self._validated = False  # in this epoch
        self.history: dict[str, list[tuple[float, float]]] = {}  # (epoch, value) by name

    def state_dict(self) -> dict:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict) -> None:
        self.history = state_dict["history"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning validates before this hook, so both kinds of values are there; in an epoch
        # without a validation, those of the last one.
        epoch = trainer.current_epoch + 1
        for name, value in trainer.callback_metrics.items():
            is_old = name.startswith("val/") and not self._validated
            if not is_old and any(fnmatchcase(name, pattern) for pattern in self.metrics):
                self.history.setdefault(name, []).append((epoch, float(value)))
        self._validated = False

        # Every process keeps the history, which checkpoints store; one draws it.
        if trainer.is_global_zero and self.history:
            with optional_output("image"):
                draw_curves(self.history, self.path)
