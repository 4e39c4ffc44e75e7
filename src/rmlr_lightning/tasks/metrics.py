"""The metrics of one split, made from a config of conf/metrics."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from rmlr_lightning.metrics.base import EvaluationMetric, TableRow
from rmlr_lightning.types import Detections, Target
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


class SplitMetrics(nn.Module):
    """All metrics of one split. Keys get the split as prefix: `val/map_full`.

    Args: as `configure_metrics`.
    """

    def __init__(
        self,
        split: str,
        constructors: Mapping[str, Constructor | None],
        vocabulary: Vocabulary,
        unseen: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__()
        self.split = split
        self.metrics = configure_metrics(constructors, split, vocabulary, unseen)

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Add a batch, one item per image."""
        for metric in self.metrics.values():
            metric.update(found, targets)

    def compute(self) -> dict[str, Tensor]:
        """All values, named `split/key`, over all processes; the metrics are reset.

        Raises:
            ValueError: two metrics have a key in common.
        """
        values: dict[str, Tensor] = {}
        for name, metric in self.metrics.items():
            for key, value in metric.compute().items():
                prefixed = f"{self.split}/{key}"
                if prefixed in values:
                    raise ValueError(f"metric {name}: another metric also computes {key}")
                values[prefixed] = value.float()
            metric.reset()
        return values

    @property
    def table(self) -> tuple[TableRow, ...]:
        """The rows of the results table; their keys are those that `compute` returns."""
        return tuple(
            TableRow(row.title, {name: f"{self.split}/{key}" for name, key in row.columns.items()})
            for metric in self.metrics.values()
            for row in metric.table
        )
