"""What the selection leaves of detected people and objects, and of true pairs, as a metric."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torchmetrics import Metric

from rmlr_lightning.ops.boxes import to_pixels
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.ops.selection_counts import (
    GROUPS,
    PREFIX,
    SelectionCounts,
    found_pairs,
    selection_counts,
)
from rmlr_lightning.types import Entities, Target
from rmlr_lightning.vocabulary import PERSON


class SelectionReport(Metric):
    """Counts of entities by reason, and the recall of annotated interactions.

    An annotated interaction that no selected pair matches cannot be detected, so the recall bounds
    every other metric. Interactions without an object (V-COCO) are not counted.

    Args:
        selection: of the model.
        subject: object class of the humans; None: any.
    """

    full_state_update = False
    entities: Tensor  # counts, groups x reasons
    interactions: Tensor  # annotated, matched by detected entities, matched by selected ones

    def __init__(self, selection: Selection, subject: int | None = PERSON) -> None:
        super().__init__()
        self.selection, self.subject = selection, subject
        self.groups = ("entities",) if subject is None else GROUPS
        counts = torch.zeros(len(self.groups), len(SelectionCounts._fields), dtype=torch.long)
        self.add_state("entities", counts, dist_reduce_fx="sum")
        zeros = torch.zeros(3, dtype=torch.long)
        self.add_state("interactions", zeros, dist_reduce_fx="sum")

    def update(
        self,
        detected: Entities,
        selected: Entities,
        sizes: Int[Tensor, "B 2"],
        targets: Sequence[Target],
    ) -> None:
        """Add a batch.

        Args:
            detected: before the selection, with the data set's labels.
            selected: after it. Boxes are relative in both.
            sizes: (height, width) of the files.
        """
        counts = selection_counts(detected, self.selection, self.subject)
        self.entities += torch.stack(counts, -1).sum(0)
        # annotations are on the CPU, and a few numbers per image are copied faster than computed on
        before, after = (
            [field.cpu() for field in (part.boxes, part.labels, part.mask)]
            for part in (detected, selected)
        )
        scales = to_pixels(sizes.cpu())
        for row, target in enumerate(targets):
            with_object = target.objects >= 0
            pairs = target.boxes_h[with_object], target.boxes_o[with_object]
            found = [
                found_pairs(
                    boxes[row, mask[row]].double() * scales[row],
                    labels[row, mask[row]],
                    *pairs,
                    target.objects[with_object],
                    self.subject,
                )
                for boxes, labels, mask in (before, after)
            ]
            self.interactions += torch.tensor(
                [int(with_object.sum()), *(int(each.sum()) for each in found)],
                device=self.interactions.device,
            )

    def compute(self) -> dict[str, Tensor]:
        """`selection_people_detected` and so on, numbers of entities, and

        `selection_recall`, the share of annotated interactions that selected pairs match,
        `selection_recall_detected`, the same of all detected entities, and
        `selection_interactions`, their number. Recalls are 0 without any.
        """
        values = {
            f"{PREFIX}{group}_{reason}": self.entities[row, column]
            for row, group in enumerate(self.groups)
            for column, reason in enumerate(SelectionCounts._fields)
        }
        # integers count exactly; ratios are taken once, over all processes
        total, detected, selected = self.interactions
        values[f"{PREFIX}interactions"] = total
        values[f"{PREFIX}recall"] = selected / total.clamp_min(1)
        values[f"{PREFIX}recall_detected"] = detected / total.clamp_min(1)
        return values
