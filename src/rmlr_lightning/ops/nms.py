"""Non-maximum suppression in padded batches."""

import torch
from jaxtyping import Bool
from torch import Tensor
from torchvision.ops import nms

from rmlr_lightning.types import Entities

MAX_CLASSES = 1000  # of objects; the number after them stands for padding


def class_nms(entities: Entities, max_iou: float) -> Bool[Tensor, "B N"]:
    """Mask of the real entities that survive NMS within their image and class.

    One call serves the whole batch: each class of each image is shifted to a place of its own.
    Boxes are relative, so steps of 2 keep the places apart; boxes that reach beyond the image need
    larger ones. In double precision the shift changes no overlap by more than 1e-9.
    """
    real = entities.mask
    image = torch.arange(len(real), device=real.device)[:, None]
    label = torch.where(real, entities.labels, MAX_CLASSES)
    place = (image * (MAX_CLASSES + 1) + label).flatten()

    boxes = entities.boxes.flatten(0, 1).double()
    step = 2.0
    if boxes.numel():
        step = (boxes.amax() - boxes.amin() + 1).clamp_min(2)
    kept = nms(
        boxes + step * place[:, None],
        torch.where(real, entities.scores, -1.0).flatten().double(),
        max_iou,
    )
    survives = torch.zeros_like(place, dtype=torch.bool)
    survives[kept] = True
    return survives.view_as(real) & real
