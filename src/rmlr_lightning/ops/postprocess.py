"""From scores to HOI detections."""

import torch
from jaxtyping import Float
from torch import Tensor

from rmlr_lightning.types import Detections, Entities, Pairs


def detections(
    scores: Float[Tensor, "B P V"],
    entities: Entities,
    pairs: Pairs,
    sizes: Tensor,
    most: int | None = None,
) -> list[Detections]:
    """All scored interactions of each image, by falling score, boxes in pixels of the file.

    Args:
        scores: 0 where a verb is impossible; such rows are left out.
        sizes: (height, width) of the files, (B, 2).
        most: keep so many an image, or all (the evaluator has no cap).
    """
    found = []
    for image in range(len(scores)):
        pair, verb = torch.nonzero(scores[image] > 0, as_tuple=True)
        score, order = scores[image][pair, verb].sort(dim=0, descending=True, stable=True)
        score, pair, verb = score[:most], pair[order[:most]], verb[order[:most]]
        human, thing = pairs.human[image, pair], pairs.object[image, pair]
        scale = sizes[image].flip(0).repeat(2)
        boxes = entities.boxes[image].float() * scale
        found.append(
            Detections(boxes[human], boxes[thing], entities.labels[image, thing], verb, score)
        )
    return found
