"""What training and evaluation expect of a metric: a new one is a file of this form and a config.

A config of conf/metrics names constructors. A run calls each with `vocabulary`, `unseen` (the HOIs
hidden in training) and `split` ("val" or "test"); a constructor that returns None has nothing to
measure on that split.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from rmlr_lightning.types import Detections, Target


class TableRow(NamedTuple):
    """A row of the results table that a run ends with. Cells without a value stay empty."""

    title: str
    columns: Mapping[str, str]  # title of the column -> key of `compute`


class EvaluationMetric(Protocol):
    """A torchmetrics `Metric` with this signature. Values in [0, 1], shown as percentages."""

    table: tuple[TableRow, ...]
    # optional: `replaces: str`, the name of a metric of the same config that is not shown beside it

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Add a batch: for each image what was detected and what is annotated."""

    def compute(self) -> dict[str, Tensor]:
        """Scalars by key, over all images of all processes. Keys have no prefix of the split."""

    def reset(self) -> None:
        """Forget all images."""
