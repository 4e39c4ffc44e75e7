"""From scores to HOI detections."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rmlr_lightning.ops.boxes import to_pixels
from rmlr_lightning.types import Detections, Entities, Pairs


def detections(
    scores: Float[Tensor, "B P V"],
    entities: Entities,
    pairs: Pairs,
    sizes: Int[Tensor, "B 2"],
    max_detections: int | None = None,
) -> list[Detections]:
    """All scored interactions of each image, by falling score, boxes in pixels of the file.

    Args:
        scores: rows of score 0 (invalid object-verb pairs) are left out.
        sizes: (height, width) of the files.
        max_detections: per image; None keeps all, because the evaluators have no limit.
    """
    boxes = entities.boxes.float() * to_pixels(sizes)[:, None]
    found = []
    for image in range(len(scores)):
        pair, verb = torch.nonzero(scores[image] > 0, as_tuple=True)
        score, order = scores[image][pair, verb].sort(dim=0, descending=True, stable=True)
        order = order[:max_detections]
        pair, verb = pair[order], verb[order]
        found.append(
            Detections(
                boxes[image, pairs.human[image, pair]],
                boxes[image, pairs.object[image, pair]],
                pairs.object_class[image, pair],
                verb,
                score[:max_detections],
            )
        )
    return found
