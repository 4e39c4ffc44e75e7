"""Padded batches as parts of images of one size, without padding.

A network that mixes cells reads the padding at the edge of an image, whatever masks it takes. Run
size by size, the result for an image does not depend on the other images of its batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.types import Images


class Part(NamedTuple):
    """The images of one size in a batch."""

    rows: list[int]  # of the batch
    images: Images  # without padding


def parts_of_one_size(images: Images) -> list[Part]:
    """The images of a batch by size; padding is at the right and at the bottom."""
    heights, widths = (images.mask.any(axis).sum(1).tolist() for axis in (2, 1))
    sizes = list(zip(heights, widths, strict=True))
    # the usual case, in which nothing is copied
    if len(set(sizes)) == 1 and sizes[0] == tuple(images.mask.shape[1:]):
        return [Part(list(range(len(sizes))), images)]

    # a dict keeps the order of the sizes
    parts = []
    for height, width in dict.fromkeys(sizes):
        rows = [row for row, size in enumerate(sizes) if size == (height, width)]
        pixels = images.pixels[rows, :, :height, :width]
        mask = images.mask[rows, :height, :width]
        parts.append(Part(rows, Images(pixels, mask, images.sizes[rows])))
    return parts


def original_order(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, " B"]:
    """The index that brings concatenated parts back into the order of their batch."""
    together = [row for part in rows for row in part]
    return torch.tensor(together, device=device).argsort()


def padded_together(maps: Sequence[Tensor], order: Int[Tensor, " B"]) -> Tensor:
    """Maps "b C h w" of the parts as one batch, zeros (or False) beyond their own size."""
    height, width = (max(part.shape[axis] for part in maps) for axis in (-2, -1))
    whole = [F.pad(part, (0, width - part.shape[-1], 0, height - part.shape[-2])) for part in maps]
    return torch.cat(whole)[order]


def cells_mask(mask: Bool[Tensor, "B H W"], stride: int) -> Bool[Tensor, "B h w"]:
    """The cells of a map of this stride that begin inside the image."""
    return mask[:, ::stride, ::stride]
