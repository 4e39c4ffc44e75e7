"""Tokens of annotated pairs: from the detector's queries, its feature map, or a model's IRE."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rmlr_lightning.ops.boxes import batched_iou, paired_iou
from rmlr_lightning.ops.roi import map_extents, roi_align
from rmlr_lightning.types import Entities, Prediction, Scene, Truth
from rmlr_lightning.vocabulary import PERSON


class Tokens(NamedTuple):
    """One row per annotated pair; rows of pairs that were not found are zeros."""

    rows: Float[Tensor, "P D"]
    found: Bool[Tensor, "P"]


def query_tokens(scene: Scene, truths: Sequence[Truth], min_overlap: float = 0.5) -> list[Tokens]:
    """[human token; object token] of the queries that match the true boxes, image by image.

    A true box takes the query of its class with the largest IoU, whatever the score. A pair is
    found if both IoUs are at least `min_overlap` and the two queries differ.
    """
    out = []
    for image, truth in enumerate(truths):
        entities = Entities(*(field[image] for field in scene.entities))
        people = torch.full_like(truth.objects, PERSON)
        human, overlap_h = _best_query(entities, truth.boxes_h, people)
        object_, overlap_o = _best_query(entities, truth.boxes_o, truth.objects)

        found = (torch.minimum(overlap_h, overlap_o) >= min_overlap) & (human != object_)
        rows = torch.cat([entities.tokens[human], entities.tokens[object_]], 1).float()
        out.append(Tokens(rows * found[:, None], found))
    return out


def _best_query(
    entities: Entities, boxes: Float[Tensor, "P 4"], labels: Int[Tensor, "P"]
) -> tuple[Int[Tensor, "P"], Float[Tensor, "P"]]:
    """The query of the right class with the largest IoU for each box, and that IoU."""
    overlap = batched_iou(boxes[None], entities.boxes[None].float())[0]
    same_class = labels[:, None] == entities.labels
    best = torch.where(same_class & entities.mask, overlap, -1.0).max(1)
    return best.indices, best.values


def map_tokens(scene: Scene, truths: Sequence[Truth], cells: int = 5) -> list[Tokens]:
    """The detector's finest feature map in both true boxes, `cells` x `cells` each."""
    extents = map_extents(scene.memory_mask, scene.memory)
    out = []
    for image, truth in enumerate(truths):
        memory, extent = scene.memory[image : image + 1].float(), extents[image : image + 1]
        human, object_ = (
            roi_align(memory, boxes[None], cells, extent)[0]
            for boxes in (truth.boxes_h, truth.boxes_o)
        )
        found = torch.ones(len(truth.objects), dtype=torch.bool)
        out.append(Tokens(torch.cat([human, object_], 1), found))
    return out


def ire_tokens(
    prediction: Prediction, truths: Sequence[Truth], min_overlap: float = 0.5
) -> list[Tokens]:
    """The IRE's tokens of the model's candidate pairs that match the true ones, image by image.

    A true pair takes the candidate of its object class with the largest min(IoU_h, IoU_o). It is
    found from `min_overlap` on; pairs that selection dropped are not found.
    """
    pairs = prediction.pairs
    out = []
    for image, truth in enumerate(truths):
        tokens = prediction.ire_tokens[image].float()
        if not pairs.mask[image].any() or not len(truth.objects):
            rows = tokens.new_zeros(len(truth.objects), tokens.shape[1])
            out.append(Tokens(rows, torch.zeros(len(rows), dtype=torch.bool)))
            continue

        boxes = prediction.scene.entities.boxes[image].float()
        overlap = torch.minimum(
            paired_iou(truth.boxes_h[:, None], boxes[pairs.human[image]]),
            paired_iou(truth.boxes_o[:, None], boxes[pairs.object[image]]),
        )
        same_class = truth.objects[:, None] == pairs.object_class[image]
        best = torch.where(same_class & pairs.mask[image], overlap, -1.0).max(1)
        found = best.values >= min_overlap
        out.append(Tokens(tokens[best.indices] * found[:, None], found))
    return out


def stack(parts: Sequence[Tokens]) -> Tokens:
    """The rows of all images."""
    return Tokens(*(torch.cat(field) for field in zip(*parts, strict=True)))
