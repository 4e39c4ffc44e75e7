"""Whether training has anything to learn from: do candidate pairs match annotated ones at all?

Without a match every pair is a negative. The loss falls then as in a good run, and nothing but the
metrics of the validation tells that it means nothing.
"""

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import Tensor

from rmlr_lightning.errors import SharedError
from rmlr_lightning.tasks.step import total
from rmlr_lightning.types import Labels, Truth

EARLY_STEPS = 100  # after which it is certain, though an epoch may take an hour more
ENOUGH = 500  # annotated pairs without a match that end the training; fewer give a note
FEW = 0.1  # matches per annotated pair below which there is a note
CAUSES = (
    "boxes of another unit or convention, image ids or files of other images, object classes in "
    "another order, or a detector that does not find them"
)


class Matches:
    """Counts annotated pairs, and candidate pairs that match one, until the first judgement."""

    def __init__(self) -> None:
        self.is_judged = False
        self._counts: Tensor | None = None  # matches, annotated pairs; on the device of the batches

    def add(self, labels: Labels, truth: Truth) -> None:
        """Count a batch, without waiting for the device."""
        if self.is_judged:
            return
        counts = torch.stack([labels.positives.mask.sum(), truth.mask.sum()])
        self._counts = counts if self._counts is None else self._counts + counts

    def judge(self) -> None:
        """Print a note, once, where few annotated pairs have a match. All processes call it.

        Raises:
            SharedError: none of many has one.
        """
        if self.is_judged or self._counts is None:
            return
        matches, annotated = total(self._counts).tolist()
        self.is_judged, self._counts = True, None
        if annotated == 0:
            message = "no image has an annotated pair, so training sees negatives only"
        elif matches >= FEW * annotated:
            return
        else:
            found = f"only {matches:,}" if matches else "no"
            message = (
                f"{found} candidate pairs of people and objects match the {annotated:,} annotated "
                f"pairs of training so far; likely causes: {CAUSES}"
            )
        if matches == 0 and annotated >= ENOUGH:
            raise SharedError(f"nothing to learn from: {message}")
        rank_zero_only(print)(f"note: {message}")
