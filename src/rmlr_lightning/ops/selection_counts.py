"""What the selection drops: how many entities, why, and which true pairs are left."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rmlr_lightning.ops.boxes import paired_iou
from rmlr_lightning.ops.nms import class_nms
from rmlr_lightning.ops.selection import Selection, inside_image
from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import PERSON

GROUPS = ("people", "objects")
PREFIX = "selection_"  # of the metrics made from these numbers


class SelectionCounts(NamedTuple):
    """Entities of each group, "B G"; one group of all entities where subjects are of any class."""

    detected: Int[Tensor, "B G"]
    duplicates: Int[Tensor, "B G"]  # suppressed by NMS (`Selection.nms_iou`)
    low_score: Int[Tensor, "B G"]  # below `score_threshold`, beyond `min_instances`
    over_limit: Int[Tensor, "B G"]  # beyond `max_instances`
    selected: Int[Tensor, "B G"]


def selection_counts(
    entities: Entities, selection: Selection, subject: int | None = PERSON
) -> SelectionCounts:
    """Why `ops.selection.select` leaves out which of these entities; each counts for one reason."""
    cut = inside_image(entities) if selection.clamp == "before_nms" else entities
    survives = class_nms(cut, selection.nms_iou)
    groups = [torch.ones_like(entities.mask)]
    if subject is not None:
        human = entities.labels == subject
        groups = [human, ~human]
    group = torch.stack(groups, 1)

    detected = (group & entities.mask[:, None]).sum(2)
    left = group & survives[:, None]
    confident = (left & (entities.scores >= selection.score_threshold)[:, None]).sum(2)
    surviving = left.sum(2)

    # entities are taken by falling score, so numbers tell which ones
    wanted = torch.maximum(confident, surviving.clamp_max(selection.min_instances))
    selected = wanted.clamp_max(selection.max_instances)
    over_limit = (confident - selection.max_instances).clamp_min(0)
    low_score = surviving - selected - over_limit
    return SelectionCounts(detected, detected - surviving, low_score, over_limit, selected)


def found_pairs(
    boxes: Float[Tensor, "N 4"],
    labels: Int[Tensor, "N"],
    true_h: Float[Tensor, "G 4"],
    true_o: Float[Tensor, "G 4"],
    objects: Int[Tensor, "G"],
    subject: int | None = PERSON,
    min_overlap: float = 0.5,
) -> Bool[Tensor, "G"]:
    """The annotated pairs of an image that some two entities match.

    A human and another entity of the object's class, both with an IoU of at least `min_overlap`:
    only these can be detected, whatever the verbs' scores are.

    Args:
        boxes, labels: of the entities; boxes in the unit of the annotated ones.
        subject: object class of the humans; None: any.
    """
    fits_h = paired_iou(boxes[:, None], true_h[None]) >= min_overlap  # N G
    fits_o = paired_iou(boxes[:, None], true_o[None]) >= min_overlap
    if subject is not None:
        fits_h &= (labels == subject)[:, None]
    fits_o &= labels[:, None] == objects
    # an entity is not paired with itself
    combinations = fits_h.sum(0) * fits_o.sum(0) - (fits_h & fits_o).sum(0)
    return combinations > 0
