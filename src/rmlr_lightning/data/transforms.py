"""From an image to the canvas that the detector reads, together with its boxes.

Augmentations are torchvision's v2 transforms and those of `data/augmentation.py`, composed in
conf/data.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F


class ResizeExact:
    """Resize to (height, width) in pixels without keeping the aspect ratio.

    For RT-DETR and D-FINE, which have no padding masks.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    @property
    def largest(self) -> tuple[int, int]:
        """(height, width) of the largest canvas in landscape format, in pixels."""
        return self.height, self.width

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the canvas for an image of this size, in pixels."""
        return self.height, self.width


class ResizeShortest:
    """Resize with the aspect ratio kept, by the rule of DETR's code (800, 1333).

    The shorter side becomes `shortest` pixels, or less where the longer would exceed `longest`.
    The longer side is rounded down, and may exceed `longest` by a pixel.
    """

    def __init__(self, shortest: int = 800, longest: float = 1333) -> None:
        self.shortest, self.longest = shortest, longest

    @property
    def largest(self) -> tuple[int, int]:
        """(height, width) of the largest canvas in landscape format, in pixels."""
        return self.shortest, round(min(self.longest, 2 * self.shortest))

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the canvas for an image of this size, in pixels."""
        short, long = min(height, width), max(height, width)
        side = self.shortest
        if long / short * side > self.longest:
            side = max(1, round(self.longest * short / long))
        # not from a common scale: its rounding differs for half of HICO-DET's images
        other = int(side * long / short)
        return (side, other) if height <= width else (other, side)


def canvas_pixels(resize: ResizeExact | ResizeShortest, size: Int[Tensor, "2"]) -> int:
    """Pixels of the canvas of an image of this (height, width); 0 for a size that no file holds."""
    return math.prod(resize.canvas(*size.tolist())) if size.all() else 0


class Transformed(NamedTuple):
    """An image on its canvas with the boxes that belong to it."""

    pixels: Float[Tensor, "3 H W"]  # in [0, 1]
    boxes: list[Float[Tensor, "G 4"]]  # groups of xyxy boxes, in the pixels that `size` counts
    inside: list[Bool[Tensor, "G"]]  # False: a crop left nothing of the box
    size: Int[Tensor, "2"]  # (height, width) of what is left of the image, in pixels of the file


def transform(
    image: Image.Image,
    boxes: Sequence[Float[Tensor, "G 4"]],
    resize: ResizeExact | ResizeShortest,
    augment: Callable | None = None,
) -> Transformed:
    """Augment an image together with its boxes, and resize it to its canvas.

    Boxes that a crop cuts become their visible part. Whether one is still of use is the caller's
    decision: a pair needs both of its boxes. NaN boxes (empty roles) stay and count as inside.

    Args:
        image: RGB.
        boxes: groups of xyxy boxes in pixels of the image.
        resize: size of the canvas, from that of the augmented image.
        augment: a v2 transform over (pixels, groups of boxes) or None. It must keep the order and
            number of boxes: flips, resizing, crops, colour and noise do.
    """
    height, width = image.size[::-1]
    size = torch.tensor([height, width])
    groups = [group.reshape(-1, 4) for group in boxes]
    everything = [torch.ones(len(group), dtype=torch.bool) for group in groups]
    if augment is None:
        canvas = resize.canvas(height, width)
        return Transformed(_pixels(image, canvas), groups, everything, size)

    # the image's own frame goes along: it tells how the file lies on the augmented canvas
    frame = torch.tensor([[0, 0, width, height]], dtype=torch.float64)
    pixels, moved = augment(
        F.to_image(image),
        [
            tv_tensors.BoundingBoxes(
                group, format="XYXY", canvas_size=(height, width), clamping_mode=None
            )
            for group in [*groups, frame]
        ],
    )
    *groups, frame = [group.as_subclass(Tensor) for group in moved]
    now = torch.tensor(pixels.shape[-2:])
    x1, y1, x2, y2 = frame[0]
    in_file_pixels = size / torch.stack([y2 - y1, x2 - x1])
    left = torch.minimum((now * in_file_pixels).round().long().clamp(min=1), size)

    limit = now.flip(0).repeat(2)
    whole = torch.cat([torch.zeros(2), now.flip(0)])
    if not torch.allclose(frame[0], whole.double(), atol=0.01):  # a crop cuts whole pixels
        groups = [torch.minimum(group.clamp(min=0), limit.to(group)) for group in groups]
        everything = [
            (group[:, 2:] > group[:, :2]).all(1) | group.isnan().any(1) for group in groups
        ]

    to_file = (left / now).flip(0).repeat(2)
    canvas = resize.canvas(*pixels.shape[-2:])
    return Transformed(
        # the resampling of evaluation and of cached features, which Pillow does
        _pixels(F.to_pil_image(pixels), canvas),
        [group * to_file.to(group) for group in groups],
        everything,
        left,
    )


def _pixels(image: Image.Image, canvas: tuple[int, int]) -> Float[Tensor, "3 H W"]:
    resized = F.to_image(F.resize(image, list(canvas), antialias=True))
    return F.to_dtype(resized, torch.float32, scale=True).as_subclass(Tensor)
