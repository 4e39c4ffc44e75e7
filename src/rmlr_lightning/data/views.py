"""Views: fixed versions of an image, so that training on cached features sees flips and scales.

A view follows from its number alone. View 0 is the image itself. Colour jitter is not a view.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest

SCALES = (1.0, 0.8, 1.2, 0.9, 1.1)  # of two views each: not flipped, flipped
STRIDE = 32  # the coarsest stride of the DETR family: stretched canvases stay multiples of it


class View(NamedTuple):
    """What is done to an image before the detector, and so to its true boxes."""

    number: int = 0
    flip: bool = False  # horizontally; the true boxes are mirrored, too
    scale: float = 1.0  # of the canvas; boxes are relative or in pixels of the file, so they stay

    def resize(self, unscaled: ResizeExact | ResizeShortest) -> ResizeExact | ResizeShortest:
        """The data set's resizing, scaled as in this view."""
        if self.scale == 1.0:
            return unscaled
        if isinstance(unscaled, ResizeShortest):
            return ResizeShortest(
                round(unscaled.shortest * self.scale), round(unscaled.longest * self.scale)
            )
        # RT-DETR and D-FINE work without a padding mask: their canvas must divide by all strides.
        return ResizeExact(self._rounded(unscaled.height), self._rounded(unscaled.width))

    def boxes(self, boxes: Float[Tensor, "G 4"], size: Tensor) -> Float[Tensor, "G 4"]:
        """True boxes in this view; xyxy in pixels of a file of this size (height, width)."""
        if not self.flip:
            return boxes
        x1, y1, x2, y2 = boxes.unbind(-1)
        return torch.stack([size[1] - x2, y1, size[1] - x1, y2], -1)

    def _rounded(self, side: int) -> int:
        return max(1, round(side * self.scale / STRIDE)) * STRIDE


def view_of(number: int) -> View:
    """View 0 is the image itself; odd numbers are flipped; every two numbers the scale changes."""
    return View(number, flip=number % 2 == 1, scale=SCALES[number // 2 % len(SCALES)])
