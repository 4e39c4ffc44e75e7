"""What a report shows of a test: its detections, evaluated, and some of its images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from rmlr_lightning.callbacks.optional_output import optional_output
from rmlr_lightning.callbacks.word_attention import attended_words
from rmlr_lightning.drawing.thumbnail import thumbnail
from rmlr_lightning.scoring.record import TestRecord, extremes, make_record
from rmlr_lightning.scoring.record_file import FILE, write_record
from rmlr_lightning.types import Batch, Detections, Target

Results = list[tuple[Target, Detections]]


class KeepTestRecord(Callback):
    """Writes test_record.npz, from which `rmlr-report` makes its page.

    Args:
        folder: of the run.
        text: of the run's phrases, for the attention of word alignment; None leaves it out.
        images: small copies that are kept of the best and of the worst images, each.
        width: of these copies, in pixels.
    """

    def __init__(self, folder: str, text: object = None, images: int = 8, width: int = 420) -> None:
        self.path = Path(folder, FILE)
        self.text, self.images, self.width = text, images, width
        self.record: TestRecord | None = None  # of the last test, for loggers
        self.thumbnails: dict[str, bytes] = {}  # JPEG files by name of the image
        self._attention: list[dict[str, Any]] = []
        self._is_first = True

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._attention, self._is_first = [], True
        # Detections are kept as for an export of rmlr-eval. Only tasks of interactions have any.
        if hasattr(pl_module, "kept"):
            pl_module.kept = []

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        # One batch of one process is enough for examples, and costs one more forward pass.
        if self._is_first and trainer.is_global_zero and hasattr(pl_module, "kept"):
            dataset = trainer.datamodule.dataset("test")
            names = [dataset.target(image_id).file_name for image_id in batch.image_ids]
            self._attention = attended_words(pl_module, batch, names, self.text)
        self._is_first = False

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if getattr(pl_module, "kept", None) is None:
            return
        # The metrics of the run have been computed, so that nothing here can change them.
        results, pl_module.kept = _gathered(pl_module.kept, trainer.world_size), None
        if not trainer.is_global_zero or not results:
            return
        metrics = pl_module.metrics["test"].metrics.values()
        reliability = getattr(pl_module.metrics["test"], "reliability", None)
        facts = {
            "attention": self._attention,
            "twins": _twins(results, metrics),
            "reliability": getattr(reliability, "bins", {}),
        }
        record = make_record(
            results,
            pl_module.vocabulary,
            unseen=next((np.flatnonzero(m.unseen) for m in metrics if hasattr(m, "unseen")), ()),
            roles=next((metric for metric in metrics if hasattr(metric, "roles_of")), None),
            facts=facts,
        )
        self.record = record
        self.thumbnails = self._thumbnails(record, trainer.datamodule)
        with optional_output("record"):
            write_record(self.path, record, self.thumbnails)

    def _thumbnails(self, record: TestRecord, datamodule: Any) -> dict[str, bytes]:
        """JPEG files of the best and worst images, and of those whose attention is shown."""
        best, worst = extremes(record.image_ap, record.truth.images, self.images)
        names = [record.file_names[image] for image in (*best, *worst)]
        names += [row["image"] for row in self._attention]
        dataset = datamodule.dataset("test")
        return {name: thumbnail(dataset.image(name), self.width) for name in dict.fromkeys(names)}


def _gathered(results: Results, processes: int) -> Results:
    """The results of all processes, each image once, by image id: the order of the metrics."""
    if processes > 1:
        parts: list = [None] * processes
        torch.distributed.all_gather_object(parts, results)
        results = [result for part in parts for result in part]
    by_id = {int(target.image_id): (target, found) for target, found in reversed(results)}
    return [by_id[key] for key in sorted(by_id)]


def _twins(results: Sequence[tuple[Target, Detections]], metrics: Any) -> list[list[float]]:
    """For each image with twins: its number, and how many are there, found, and right."""
    metric = next((metric for metric in metrics if hasattr(metric, "twins")), None)
    if metric is None:
        return []
    rows = []
    for index, (target, found) in enumerate(results):
        if target.file_name in metric.twins:
            # an instance per image: the metric itself keeps sums only
            judge = type(metric)(metric.twins)
            judge.update([found], [target])
            counts = (judge.total, judge.matched, judge.right)
            rows.append([index, *(float(count) for count in counts)])
    return rows
