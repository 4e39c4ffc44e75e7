"""Which of the detector's entities go on to be paired."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import nms

from rmlr_lightning.ops.masked import compact, gather_rows
from rmlr_lightning.types import Entities, Scene

PERSON = 0
PADDING = 80  # a class of its own, after COCO's


class Selection(NamedTuple):
    """Thresholds of UPT (its `prepare_region_proposals`): confident entities, within bounds for people and objects."""

    score_threshold: float = 0.2  # keep what is at least this sure ...
    nms_iou: float = 0.5  # ... and no double, of the same class
    min_instances: int = 3  # but so many people and so many objects, if there are any
    max_instances: int = 15  # and no more than so many of each


def select(scene: Scene, selection: Selection, multiple: int = 1) -> Scene:
    """Suppress doubles, keep confident entities; people first, then objects, each by falling score.

    The number of columns is what the fullest image of the batch needs, rounded up to `multiple`.
    """
    entities = scene.entities
    keep = _without_doubles(entities, selection.nms_iou)
    person = entities.labels == PERSON
    rows = []
    for group in (keep & person, keep & ~person):
        score = torch.where(group, entities.scores, -1.0)
        score, order = score.sort(dim=1, descending=True, stable=True)
        score, order = score[:, : selection.max_instances], order[:, : selection.max_instances]
        early = torch.arange(score.shape[1], device=score.device) < selection.min_instances
        rows.append((order, (score >= 0) & ((score >= selection.score_threshold) | early)))
    order = torch.cat([order for order, _ in rows], 1)
    front, mask = compact(torch.cat([real for _, real in rows], 1), multiple)
    order = torch.gather(order, 1, front)
    picked = Entities(*(gather_rows(field, order) for field in entities[:4]), mask)
    return scene._replace(entities=_blank(picked))


def _without_doubles(entities: Entities, threshold: float) -> Tensor:
    """Mask of the real entities that survive class-wise suppression within their image.

    One suppression for the whole batch: each class of each image is moved to a place of its own. Boxes are
    relative, so steps of 2 keep them apart; in double precision the move changes no overlap by more than 1e-9.
    """
    real = entities.mask
    image = torch.arange(len(real), device=real.device)[:, None]
    group = (image * (PADDING + 1) + torch.where(real, entities.labels, PADDING)).flatten()
    kept = nms(
        entities.boxes.flatten(0, 1).double() + 2 * group[:, None],
        torch.where(real, entities.scores, -1.0).flatten().double(),
        threshold,
    )
    keep = torch.zeros_like(group, dtype=torch.bool)
    keep[kept] = True
    return keep.view_as(real) & real


def _blank(entities: Entities) -> Entities:
    """Zeros on the padding, so that nothing downstream depends on what happened to stand there."""
    mask = entities.mask
    return Entities(
        *(torch.where(mask.reshape(*mask.shape, *[1] * (f.ndim - 2)), f, 0) for f in entities[:4]),
        mask,
    )
