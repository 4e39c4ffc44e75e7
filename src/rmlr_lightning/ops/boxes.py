"""Boxes (xyxy), image by image in padded batches. Any unit, as long as both sides share it."""

from jaxtyping import Float, Int
from torch import Generator, Tensor, cat, maximum, minimum, randn


def area(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """Area; 0 for a box without extent."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)


def paired_iou(a: Float[Tensor, "*#n 4"], b: Float[Tensor, "*#n 4"]) -> Float[Tensor, "..."]:
    """IoU of each box of `a` with the box of `b` at the same place (shapes broadcast).

    0 where both boxes are empty.
    """
    return iou_of_areas(a, b, area(a), area(b))


def iou_of_areas(
    a: Float[Tensor, "*#n 4"], b: Float[Tensor, "*#n 4"], area_a: Tensor, area_b: Tensor
) -> Float[Tensor, "..."]:
    """`paired_iou` of boxes whose areas are known."""
    corner = minimum(a[..., 2:], b[..., 2:]) - maximum(a[..., :2], b[..., :2])
    intersection = corner.clamp_min(0).prod(-1)
    return intersection / (area_a + area_b - intersection).clamp_min(1e-12)


def batched_iou(a: Float[Tensor, "B N 4"], b: Float[Tensor, "B M 4"]) -> Float[Tensor, "B N M"]:
    """IoU of every box of `a` with every box of `b` of the same image."""
    return paired_iou(a[:, :, None], b[:, None])


def union_box(a: Float[Tensor, "*n 4"], b: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """The smallest box around both."""
    return cat([minimum(a[..., :2], b[..., :2]), maximum(a[..., 2:], b[..., 2:])], -1)


def to_pixels(sizes: Int[Tensor, "*n 2"]) -> Int[Tensor, "*n 4"]:
    """Factors from relative to pixel boxes: (height, width) to (width, height, width, height)."""
    width_height = sizes.flip(-1)
    return cat([width_height, width_height], -1)


def shifted(boxes: Float[Tensor, "N 4"], share: float, seed: int) -> Float[Tensor, "N 4"]:
    """Boxes as an inaccurate detector places them.

    Each edge is moved by a normal number with a standard deviation of `share` sides.

    Args:
        boxes: relative to the image.
        share: 0.1 gives a median IoU of 0.74.
        seed: the same one gives the same boxes.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    numbers = randn(boxes.shape, generator=Generator().manual_seed(seed))
    corners = (boxes + share * numbers * sides.repeat(1, 2)).clamp(0, 1).unflatten(1, (2, 2))
    # edges of a box that have changed places change back
    return cat([corners.amin(1), corners.amax(1)], 1)
