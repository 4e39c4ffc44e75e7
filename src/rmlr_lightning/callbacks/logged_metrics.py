"""The last value of every metric, kept in checkpoints."""

from pytorch_lightning import Callback, LightningModule, Trainer


class LoggedMetrics(Callback):
    """Keeps the last value of every logged metric over an interruption.

    Lightning forgets them: a run that had finished training before it was stopped would have none.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def state_dict(self) -> dict:
        return {"values": self.values}

    def load_state_dict(self, state_dict: dict) -> None:
        self.values = dict(state_dict["values"])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning validates before this hook, and writes checkpoints after it.
        for name, value in trainer.callback_metrics.items():
            if not name.startswith("lr-"):  # of Lightning's LearningRateMonitor
                self.values[name] = float(value)
