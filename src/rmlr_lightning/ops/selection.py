"""Selection of the detected entities that are paired."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rmlr_lightning.ops.masked import compact, gather_rows
from rmlr_lightning.ops.nms import class_nms
from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import PERSON

CLAMP = ("before_nms", "after_nms", "never")


class Selection(NamedTuple):
    """Thresholds of selection; defaults as in UPT (its `prepare_region_proposals`).

    Attributes:
        score_threshold: entities below it are dropped, except for `min_instances`.
        nms_iou: IoU above which the less confident of two entities of a class is a duplicate.
        min_instances: kept per group (humans, objects) even below the score threshold.
        max_instances: kept per group.
        clamp: when boxes are cut to the image: "before_nms"; "after_nms" as in PViC; or "never" as
            in UPT, so that the overlap outside the image counts, too.
        pair_all: also pair objects whose class has no valid verb, as UPT and PViC do. They have no
            score, but the other pairs of the image attend to them.
    """

    score_threshold: float = 0.2
    nms_iou: float = 0.5
    min_instances: int = 3
    max_instances: int = 15
    clamp: str = "before_nms"
    pair_all: bool = False


class Selected(NamedTuple):
    """Indices of the selected entities: humans first, each group by falling score."""

    index: Int[Tensor, "B K"]
    mask: Bool[Tensor, "B K"]


def select(entities: Entities, selection: Selection, subject: int | None = PERSON) -> Selected:
    """Class-wise NMS, then the confident entities within bounds for humans and objects.

    K is what the fullest image of the batch needs: a GPU waits for this number.

    Args:
        subject: object class of the humans; None makes one group of all entities.
    """
    if selection.clamp == "before_nms":
        entities = inside_image(entities)
    survives = class_nms(entities, selection.nms_iou)
    # relation data know no humans: a car can be the subject, too
    groups = [survives]
    if subject is not None:
        human = entities.labels == subject
        groups = [survives & human, survives & ~human]

    indices, kept = [], []
    for group in groups:
        # -1 marks what is not in the group: it sorts last and is never kept
        score = torch.where(group, entities.scores, -1.0)
        score, index = score.sort(dim=1, descending=True, stable=True)
        score = score[:, : selection.max_instances]
        index = index[:, : selection.max_instances]

        rank = torch.arange(score.shape[1], device=score.device)
        confident = score >= selection.score_threshold
        guaranteed = rank < selection.min_instances
        indices.append(index)
        kept.append((score >= 0) & (confident | guaranteed))

    front, mask = compact(torch.cat(kept, 1))
    return Selected(torch.gather(torch.cat(indices, 1), 1, front), mask)


def select_entities(
    entities: Entities, selection: Selection, subject: int | None = PERSON
) -> Entities:
    """The selected entities, with boxes cut to the image as the selection demands; see `select`."""
    selected = gather_entities(entities, select(entities, selection, subject))
    return selected if selection.clamp == "never" else inside_image(selected)


def inside_image(entities: Entities) -> Entities:
    """Boxes cut to the image."""
    return entities._replace(boxes=entities.boxes.clamp(0, 1))


def gather_entities(entities: Entities, selected: Selected) -> Entities:
    """The selected entities. Padding is zero, so that no result depends on what stood there."""
    index, mask = selected
    boxes, scores, labels, tokens = (gather_rows(field, index) for field in entities[:4])
    return Entities(
        torch.where(mask[..., None], boxes, 0),
        torch.where(mask, scores, 0),
        torch.where(mask, labels, 0),
        torch.where(mask[..., None], tokens, 0),
        mask,
    )
