"""One line per epoch on the terminal: loss, metric, seconds, images per second, time left."""

import math
import time
from collections.abc import Mapping

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rmlr_lightning.callbacks.durations import duration
from rmlr_lightning.types import Batch

LOSS = "train/loss"


class EpochTable(ProgressBar):
    """Prints a line at the end of every epoch; on a terminal a bar shows the batches until then.

    A log file gets the lines only.

    Args:
        metric: name of the logged value to show, in percent; that of the last validation in an
            epoch without one.
    """

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.metric = metric
        self._enabled = True
        self._bar: Progress | None = None
        self._start = self._seconds = 0.0  # of the epoch; of its training batches
        self._images = 0
        # seconds of the epochs of this process, without the rest of one that a run resumed in
        self._measured: list[float] = []
        self._is_whole = False

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def print(self, *texts: object, **_: object) -> None:
        """Print above the bar."""
        if self._bar is not None:
            self._bar.console.print(*texts, markup=False, highlight=False, soft_wrap=True)
        else:
            print(*texts, flush=True)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # a run that resumes within an epoch does not start this one
        self._restart(is_whole=False)
        if self._enabled:
            self.print(_weights(pl_module))
            name = self.metric.removeprefix("val/").replace("_", " ")
            columns = ("epoch", "loss", f"val {name} %", "s", "images/s", "time left")
            self._widths = [9, 9, *(max(9, len(column)) for column in columns[2:])]
            self.print(self._row(columns))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._restart(is_whole=True)
        self._show(f"epoch {trainer.current_epoch + 1}", self.total_train_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs, batch: Batch, batch_idx: int
    ) -> None:
        # every process trains on as many images
        self._images += len(batch.image_ids) * trainer.world_size
        self._seconds = time.perf_counter() - self._start
        self._advance()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._hide()
        if not self._enabled:
            return
        seconds = time.perf_counter() - self._start
        if self._is_whole:
            self._measured.append(seconds)
        left = _epochs_left(trainer)
        values = trainer.callback_metrics
        metric = values.get(self.metric)
        cells = (
            f"{trainer.current_epoch + 1}" + (f"/{trainer.max_epochs}" if left is not None else ""),
            _loss(values),
            "" if metric is None else f"{100 * float(metric):.2f}",
            f"{seconds:.1f}",
            f"{self._images / max(self._seconds, 1e-9):.1f}",
            self._time_left(left),
        )
        self.print(self._row(cells))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._show("validation", _total(trainer.num_val_batches))

    def on_validation_batch_end(self, *_: object, **__: object) -> None:
        self._advance()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._show("test", _total(trainer.num_test_batches))

    def on_test_batch_end(self, *_: object, **__: object) -> None:
        self._advance()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._hide()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._hide()

    def on_exception(self, *_: object) -> None:
        self._hide()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._hide()

    def _restart(self, is_whole: bool) -> None:
        self._start, self._images, self._seconds = time.perf_counter(), 0, 0.0
        self._is_whole = is_whole

    def _time_left(self, epochs: float | None) -> str:
        if epochs is None or not self._measured:
            return ""
        return duration(epochs * sum(self._measured) / len(self._measured))

    def _row(self, cells: tuple[str, ...]) -> str:
        pairs = zip(cells, self._widths, strict=True)
        return "  ".join(cell.rjust(width) for cell, width in pairs)

    def _show(self, title: str, total: float) -> None:
        """A new bar in place of the present one, on a terminal."""
        self._hide()
        # a new one each time: standard output may have been redirected since
        console = Console()
        if self._enabled and console.is_terminal:
            parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(*parts, TimeRemainingColumn(), console=console, transient=True)
            self._bar.add_task(title, total=total if math.isfinite(total) else None)
            self._bar.start()

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _weights(module: LightningModule) -> str:
    """How many numbers are trained, and how many are not."""
    counts = {True: 0, False: 0}
    for weight in module.parameters():
        counts[weight.requires_grad] += weight.numel()
    frozen = f", {counts[False]:,} frozen" if counts[False] else ""
    return f"weights: {counts[True]:,} trained{frozen}"


def _epochs_left(trainer: Trainer) -> float | None:
    """After the present epoch; None if no number of epochs ends the training."""
    if trainer.max_epochs is None or trainer.max_epochs < 0:
        return None
    return max(0, trainer.max_epochs - trainer.current_epoch - 1)


def _loss(values: Mapping) -> str:
    """The training loss, or the sum of its terms where only these are logged."""
    terms = [LOSS] if LOSS in values else [name for name in values if name.startswith(f"{LOSS}_")]
    return f"{sum(float(values[name]) for name in terms):.4f}" if terms else ""


def _total(batches: list[int | float]) -> float:
    return sum(batches)
