"""Loss and validation curves of a run, as one image."""

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from rmlr_lightning.drawing import curves


class Curves(Callback):
    """Draws loss and validation mAP over epochs into `path` after every validation."""

    def __init__(
        self,
        path: str,
        metrics: tuple[str, ...] = (
            "train/loss",
            "val/map_full",
            "val/map_rare",
            "val/map_non_rare",
        ),
    ) -> None:
        self.path = Path(path)
        self.metrics = tuple(metrics)
        self.history: dict[str, list[tuple[float, float]]] = {}

    def state_dict(self) -> dict:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict) -> None:
        self.history = state_dict["history"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning validates before this hook, so both kinds of metrics are there
        for name in self.metrics:
            if name in trainer.callback_metrics:
                self.history.setdefault(name, []).append(
                    (trainer.current_epoch + 1, float(trainer.callback_metrics[name]))
                )
        if trainer.is_global_zero and self.history:
            curves(self.history, self.path)
