"""Throughput, memory and waiting time of a training, for every logger."""

import sys
import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from rmlr_lightning.types import Batch


class Speed(Callback):
    """Logs at the end of each training epoch:

    - `cost/images_per_second`: of this process, without validation;
    - `cost/data_wait_share`: share of that time in which the loader is waited for;
    - `cost/memory_gb`: peak memory of this process; `cost/gpu_gb`: what torch allocated at most.

    Only clocks are read: nothing waits for a GPU.
    """

    def __init__(self) -> None:
        self._start = self._last = 0.0  # of the epoch; end of the last batch
        self._validation = 0.0  # start of the last one
        self._waited, self._images = 0.0, 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # a run that resumes within an epoch does not start this one
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start = self._last = time.perf_counter()
        self._waited, self._images = 0.0, 0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._waited += time.perf_counter() - self._last

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        self._images += len(batch.image_ids)
        self._last = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validation = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Within an epoch (trainer.val_check_interval) it is neither training nor waiting.
        spent = time.perf_counter() - self._validation
        self._start += spent
        self._last += spent

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seconds = self._last - self._start
        if not trainer.loggers or seconds <= 0:
            return
        values = {
            "cost/images_per_second": self._images / seconds,
            "cost/data_wait_share": self._waited / seconds,
            **_memory(pl_module.device),
        }
        log_scalars(trainer, values)


def log_scalars(trainer: Trainer, values: dict[str, float]) -> None:
    """Send values to all loggers. They are no metrics: metrics.json does not have them."""
    for logger in trainer.loggers:
        # the epoch places them on the same axis as logged metrics
        logger.log_metrics(values | {"epoch": trainer.current_epoch}, step=trainer.global_step)


def _memory(device: torch.device) -> dict[str, float]:
    values = {}
    if sys.platform != "win32":  # which has no such module
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # bytes on macOS, kilobytes elsewhere
        values["cost/memory_gb"] = peak / (1e9 if sys.platform == "darwin" else 1e6)
    if device.type == "cuda":
        values["cost/gpu_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return values
