"""Which external detections a model leaves out, in words."""

import torch

from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.selection_counts import GROUPS, selection_counts
from rmlr_lightning.types import Entities


def unused_boxes(entities: Entities, model: HOIModel) -> str | None:
    """How many of the external detections of an image the model leaves out, and why; None: none.

    Args:
        entities: without a batch dimension.
    """
    batch = Entities(*(field[None] for field in entities))
    counts = selection_counts(batch, model.selection, model.subject)
    if torch.equal(counts.selected, counts.detected):
        return None
    of_groups = torch.stack(counts, -1)[0].tolist()
    groups = GROUPS if model.subject is not None else ("boxes",)
    used = " and ".join(
        f"{row[-1]} of {row[0]} {name}" for name, row in zip(groups, of_groups, strict=True)
    )
    limits = model.selection
    # of one box, and of several
    reasons = (
        ("overlaps a better one of its", "overlap a better one of their"),
        ("has", "have"),
        ("is", "are"),
    )
    ends = (
        f"class by more than {limits.nms_iou:g}",
        f"a score below {limits.score_threshold:g}",
        f"beyond the best {limits.max_instances}",
    )
    totals = [sum(column) for column in zip(*of_groups, strict=True)][1:-1]
    why = [
        f"{count} {one if count == 1 else several} {end}"
        for count, (one, several), end in zip(totals, reasons, ends, strict=True)
        if count
    ]
    return f"{used} are used; {', '.join(why)}"
