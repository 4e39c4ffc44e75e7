"""A batch in parts: images whose pairs go through the trained stages together.

The memory of these stages grows with the padded pairs (images times pairs of the fullest image). A
bound on them bounds the memory of a crowded batch; a part has at least one image.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.types import Images, Pairs, Scene

Part = tuple[Scene, Pairs, Images | None]


def split(
    scene: Scene, pairs: Pairs, images: Images | None, max_pairs: int, same_size: bool = False
) -> list[Part]:
    """Consecutive images with at most `max_pairs` padded pairs per part; one image has any number.

    Only a batch that exceeds the bound is divided, so that a GPU waits for the counts of no other.

    Args:
        same_size: all parts have as many images and pairs, as compiled code needs them.
    """
    count, width = pairs.mask.shape
    if count <= 1 or count * width <= max_pairs:
        return [(scene, pairs, images)]
    if same_size:
        fits = [n for n in range(1, count) if count % n == 0 and n * width <= max_pairs]
        images_per_part = max(fits, default=1)
        return [
            images_of((scene, pairs, images), first, first + images_per_part)
            for first in range(0, count, images_per_part)
        ]

    needed = [max(1, n) for n in pairs.mask.sum(1).tolist()]
    parts, first = [], 0
    for last in range(1, count + 1):
        is_full = last < count and (last - first + 1) * max(needed[first : last + 1]) > max_pairs
        if last == count or is_full:
            # real pairs come first, so the columns that this part does not need are padding
            columns = min(width, max(needed[first:last]))
            fields = (field[:, :columns] for field in images_of(pairs, first, last))
            parts.append(
                (images_of(scene, first, last), Pairs(*fields), images_of(images, first, last))
            )
            first = last
    return parts


def images_of(record: Any, first: int, last: int) -> Any:
    """The images `first` to `last` - 1 of a (nested) record of batched tensors."""
    if record is None:
        return None
    if isinstance(record, dict):
        return {name: images_of(value, first, last) for name, value in record.items()}
    if type(record) is tuple:
        return tuple(images_of(field, first, last) for field in record)
    if isinstance(record, tuple):
        return type(record)(*(images_of(field, first, last) for field in record))
    return record[first:last]


def joined(values: list[Tensor], pairs: int) -> Float[Tensor, "B P D"]:
    """The values of all parts, "b p D" each, padded with zeros to `pairs` rows."""
    return torch.cat([F.pad(value, (0, 0, 0, pairs - value.shape[1])) for value in values])
