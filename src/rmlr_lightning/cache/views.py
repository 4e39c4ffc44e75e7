"""Views: the few fixed ways in which a picture is shown to the detector, so that cached training sees flips and scales.

View 0 is the plain picture. What a view does follows from its number alone. Colour jitter is no part of it.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, stack

from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest

SCALES = (1.0, 0.8, 1.2, 0.9, 1.1)  # two views each: as it is, and flipped
STRIDE = 32  # stretched canvases stay multiples of the coarsest stride of the DETR family


class View(NamedTuple):
    """What is done to a picture before the detector sees it, and so to the true boxes before they meet its Scene."""

    number: int = 0
    flip: bool = False  # left to right; true boxes must be mirrored, too
    scale: float = (
        1.0  # of the canvas; relative boxes, and boxes in pixels of the file, stay as they are
    )

    def resize(self, plain: ResizeExact | ResizeShortest) -> ResizeExact | ResizeShortest:
        """What decides the canvas in this view."""
        if self.scale == 1.0:
            return plain
        if isinstance(plain, ResizeShortest):
            return ResizeShortest(
                round(plain.shortest * self.scale), round(plain.longest * self.scale)
            )
        height, width = (
            max(1, round(side * self.scale / STRIDE)) * STRIDE
            for side in (plain.height, plain.width)
        )
        return ResizeExact(height, width)

    def boxes(self, boxes: Float[Tensor, "G 4"], size: Tensor) -> Float[Tensor, "G 4"]:
        """True boxes in pixels of a file of this size (height, width), as they lie in this view."""
        if not self.flip:
            return boxes
        x1, y1, x2, y2 = boxes.unbind(-1)
        return stack([size[1] - x2, y1, size[1] - x1, y2], -1)


def view_of(number: int) -> View:
    """0 is plain, odd numbers are flipped, and every two views the scale changes."""
    return View(number, number % 2 == 1, SCALES[number // 2 % len(SCALES)])
