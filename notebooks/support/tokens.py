"""Tokens of true pairs: from the detector's queries, its feature map, or a trained model's IRE."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rmlr_lightning.ops.boxes import batched_iou, paired_iou
from rmlr_lightning.ops.roi import map_extents, roi_align
from rmlr_lightning.types import Prediction, Scene, Target


class TruePairs(NamedTuple):
    """The different annotated pairs of one image; boxes relative to its size."""

    file_name: str
    boxes_h: Float[Tensor, "P 4"]
    boxes_o: Float[Tensor, "P 4"]
    objects: Int[Tensor, "P"]
    verbs: Bool[Tensor, "P V"]


class Tokens(NamedTuple):
    """One row a true pair; rows of pairs that were not found are zeros."""

    rows: Float[Tensor, "P D"]
    found: Bool[Tensor, "P"]


def true_pairs(target: Target, verbs: int) -> TruePairs:
    """Rows of one pair become one pair with several verbs; V-COCO's empty roles are left out."""
    real = target.objects >= 0
    boxes = torch.cat([target.boxes_h, target.boxes_o], 1)[real]
    keys, index = torch.unique(
        torch.cat([boxes, target.objects[real, None]], 1), dim=0, return_inverse=True
    )
    labels = torch.zeros(len(keys), verbs, dtype=torch.bool)
    labels[index, target.verbs[real]] = True
    scale = target.size.flip(0).repeat(2)
    return TruePairs(
        target.file_name, keys[:, :4] / scale, keys[:, 4:8] / scale, keys[:, 8].long(), labels
    )


def query_tokens(scene: Scene, pairs: Sequence[TruePairs], threshold: float = 0.5) -> list[Tokens]:
    """[human token; object token] of the queries that fit the true boxes, image by image.

    A true box takes the query of its class (people: person) with the largest IoU, whatever its score; the pair is found
    where both have an IoU of at least `threshold` and are different queries.
    """
    out = []
    for image, true in enumerate(pairs):
        entities = [field[image] for field in scene.entities]
        boxes, _, labels, tokens, mask = entities
        picked, fits = [], []
        for wanted, kind in (
            (true.boxes_h, torch.zeros_like(true.objects)),
            (true.boxes_o, true.objects),
        ):
            fit = batched_iou(wanted[None], boxes[None].float())[0]
            fit = torch.where((kind[:, None] == labels) & mask, fit, -1.0)
            best = fit.max(1)
            picked.append(best.indices), fits.append(best.values)
        found = (torch.minimum(*fits) >= threshold) & (picked[0] != picked[1])
        rows = torch.cat([tokens[index] for index in picked], 1).float()
        out.append(Tokens(rows * found[:, None], found))
    return out


def region_tokens(scene: Scene, pairs: Sequence[TruePairs], cells: int = 5) -> list[Tokens]:
    """The detector's finest feature map inside the true human and the true object box, `cells` x `cells` each."""
    real = map_extents(scene.memory_mask, scene.memory)
    out = []
    for image, true in enumerate(pairs):
        memory, extent = scene.memory[image : image + 1].float(), real[image : image + 1]
        both = [
            roi_align(memory, boxes[None], cells, extent)[0]
            for boxes in (true.boxes_h, true.boxes_o)
        ]
        out.append(Tokens(torch.cat(both, 1), torch.ones(len(true.objects), dtype=torch.bool)))
    return out


def pair_tokens(
    prediction: Prediction, pairs: Sequence[TruePairs], threshold: float = 0.5
) -> list[Tokens]:
    """The IRE's tokens of the model's own candidate pairs that fit the true ones, image by image.

    A true pair takes the candidate of its object class with the largest min(IoU_h, IoU_o); it is found from
    `threshold` on. What selection dropped is not found.
    """
    out = []
    for image, true in enumerate(pairs):
        boxes, labels = (
            prediction.scene.entities.boxes[image].float(),
            prediction.scene.entities.labels[image],
        )
        human, thing, mask = (field[image] for field in prediction.pairs)
        tokens = prediction.ire_tokens[image].float()
        if not mask.any() or not len(true.objects):
            out.append(
                Tokens(
                    tokens.new_zeros(len(true.objects), tokens.shape[1]),
                    mask.new_zeros(len(true.objects)),
                )
            )
            continue
        fit = torch.minimum(
            paired_iou(true.boxes_h[:, None], boxes[human]),
            paired_iou(true.boxes_o[:, None], boxes[thing]),
        )
        fit = torch.where((true.objects[:, None] == labels[thing]) & mask, fit, -1.0)
        best = fit.max(1)
        found = best.values >= threshold
        out.append(Tokens(tokens[best.indices] * found[:, None], found))
    return out


def stack(parts: Sequence[Tokens]) -> Tokens:
    """Images one after the other."""
    return Tokens(*(torch.cat(field) for field in zip(*parts, strict=True)))
