"""The metrics of one split, made from a config of conf/metrics."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from rmlr_lightning.errors import SharedError
from rmlr_lightning.metrics.base import EvaluationMetric, TableRow
from rmlr_lightning.metrics.calibration import Reliability
from rmlr_lightning.metrics.selection import SelectionReport
from rmlr_lightning.ops.finite import finite_logits, finite_scenes
from rmlr_lightning.tasks.finite import over_processes
from rmlr_lightning.types import Detections, Prediction, Target
from rmlr_lightning.vocabulary import Vocabulary

Constructor = Callable[..., EvaluationMetric | None]


def configure_metrics(
    constructors: Mapping[str, Constructor | None],
    split: str,
    vocabulary: Vocabulary,
    unseen: frozenset[int] = frozenset(),
) -> nn.ModuleDict:
    """Make the metrics that apply to a split.

    Args:
        constructors: by name; each takes `vocabulary`, `unseen` and `split` and returns a metric,
            or None where it does not apply. A constructor that is None is left out.
        split: "val" or "test".
        vocabulary: of the data.
        unseen: HOIs hidden in training.
    """
    metrics = nn.ModuleDict()
    for name, constructor in constructors.items():
        if constructor is None:
            continue
        metric = constructor(vocabulary=vocabulary, unseen=unseen, split=split)
        if metric is not None:
            metrics[name] = metric
    return metrics


# What gives NaN or infinite values, and the way out.
CAUSES = {
    "detector": "the detector's outputs are NaN or infinite; if they are cached, delete the folder "
    "features.path, or read the images with features=online",
    "head": "the head's logits are NaN or infinite, those of the detector are not; use another "
    "checkpoint, or trainer.precision=32-true",
}


def first_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    first, *others = sorted(names)
    return f"{first} and {len(others)} more" if others else first


class SplitMetrics(nn.Module):
    """All metrics of one split. Keys get the split as prefix: `val/map_full`.

    Args: as `configure_metrics`, and
        selection: counts what the selection leaves; None where nothing is selected.
        reliability: how far scores are from probabilities; None where there is none.
    """

    def __init__(
        self,
        split: str,
        constructors: Mapping[str, Constructor | None],
        vocabulary: Vocabulary,
        unseen: frozenset[int] = frozenset(),
        selection: SelectionReport | None = None,
        reliability: Reliability | None = None,
    ) -> None:
        super().__init__()
        self.split, self.selection, self.reliability = split, selection, reliability
        self.not_finite: dict[str, list[str]] = {cause: [] for cause in CAUSES}  # names of images
        self.metrics = configure_metrics(constructors, split, vocabulary, unseen)

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Add a batch, one item per image."""
        for metric in self.metrics.values():
            metric.update(found, targets)
        if self.reliability is not None:
            self.reliability.update(found, targets)

    def examine(self, prediction: Prediction, targets: Sequence[Target]) -> None:
        """Count what the selection left of a batch, and note images with NaN or infinite values.

        These would end as images without detections, and as a metric of zero.
        """
        scene = prediction.scene._replace(entities=prediction.detected)
        finite = torch.stack([finite_scenes(scene), finite_logits(prediction)], 1).tolist()
        for target, of_image in zip(targets, finite, strict=True):
            # the head is blamed only for what it was given as numbers
            cause = next((c for c, ok in zip(CAUSES, of_image, strict=True) if not ok), None)
            if cause is not None:
                self.not_finite[cause].append(target.file_name)
        if self.selection is not None:
            self.selection.update(
                prediction.detected, prediction.scene.entities, scene.sizes, targets
            )

    def compute(self) -> dict[str, Tensor]:
        """All values, named `split/key`, over all processes; the metrics are reset.

        Means over no class (NaN) are left out.

        Raises:
            SharedError: there were NaN or infinite values.
            ValueError: two metrics have a key in common.
        """
        self._check_finite()
        values: dict[str, Tensor] = {}
        for name, metric in self._all():
            for key, value in metric.compute().items():
                if value.isnan():
                    continue
                prefixed = f"{self.split}/{key}"
                if prefixed in values:
                    raise ValueError(f"metric {name}: another metric also computes {key}")
                values[prefixed] = value.float()
            metric.reset()
        return values

    def _all(self) -> list[tuple[str, EvaluationMetric]]:
        # not updated by those that only add detections
        further = {"selection": self.selection, "reliability": self.reliability}
        counted = [(k, m) for k, m in further.items() if m is not None and m.update_called]
        return [*self.metrics.items(), *counted]

    def _check_finite(self) -> None:
        """On all processes, because one that stops alone leaves the others waiting."""
        found = over_processes(tuple(self.not_finite.values()))
        for way_out, names in zip(CAUSES.values(), found, strict=True):
            if names:
                raise SharedError(f"{first_of(names)}, {self.split} split: {way_out}")

    @property
    def table(self) -> tuple[TableRow, ...]:
        """The rows of the results table; their keys are those that `compute` returns.

        A metric that `replaces` another one, by its name, is shown in that one's place.
        """
        replaced = {getattr(metric, "replaces", None) for metric in self.metrics.values()}
        return tuple(
            TableRow(row.title, {name: f"{self.split}/{key}" for name, key in row.columns.items()})
            for name, metric in self.metrics.items()
            if name not in replaced
            for row in metric.table
        )
