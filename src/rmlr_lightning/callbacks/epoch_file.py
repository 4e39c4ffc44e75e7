"""How far a run of a sweep is, as a small file in its folder that other processes read."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from rmlr_lightning.files import write_atomic

FILE = ".epoch.json"


class EpochFile(Callback):
    """Writes the number of finished epochs, of all epochs, and the seconds per epoch.

    Args:
        folder: of the run.
        after_first: called after the first epoch of this process.
    """

    def __init__(self, folder: str | Path, after_first: Callable[[], None]) -> None:
        self.path = Path(folder, FILE)
        self.after_first = after_first
        self.start, self.epochs = 0.0, 0  # of this process; a resumed run has earlier ones

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start, self.epochs = time.perf_counter(), 0

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs += 1
        if not trainer.is_global_zero or not (trainer.max_epochs or 0) > 0:
            return
        content = {
            "epoch": trainer.current_epoch + 1,
            "epochs": trainer.max_epochs,
            "seconds": (time.perf_counter() - self.start) / self.epochs,
        }
        write_atomic(self.path, json.dumps(content).encode())
        if self.epochs == 1:
            self.after_first()
