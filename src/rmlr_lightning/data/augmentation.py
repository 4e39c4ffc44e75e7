"""What DETR's augmentation has and torchvision's v2 transforms lack.

With torchvision's flip and colour jitter they make UPT's and PViC's augmentation
(conf/data/augment/detr.yaml).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from rmlr_lightning.data.transforms import ResizeShortest


class RandomShortest(v2.Transform):
    """Resize as `ResizeShortest`, with the shortest side drawn from a list (multi-scale).

    torchvision's `RandomShortestSize` rounds other than DETR does.
    """

    def __init__(self, shortest: Sequence[int], longest: float = math.inf) -> None:
        super().__init__()
        self.shortest, self.longest = list(shortest), longest

    def draw(self) -> ResizeShortest:
        """The rule of one image."""
        drawn = int(torch.randint(len(self.shortest), ()))
        return ResizeShortest(self.shortest[drawn], self.longest)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The canvas that all inputs are resized to."""
        return {"size": list(self.draw().canvas(*v2.query_size(flat_inputs)))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resize one input: pixels, or a group of boxes."""
        return self._call_kernel(F.resize, inpt, antialias=True, **params)


class RandomSizeCrop(v2.Transform):
    """Crop a rectangle of random size and place; both sides are drawn from smallest..largest.

    In pixels of the image that it gets; a side is never larger than the image. torchvision's crops
    have a fixed size (`RandomCrop`), or also stretch (`RandomResizedCrop`).
    """

    def __init__(self, smallest: int = 384, largest: int = 600) -> None:
        super().__init__()
        self.smallest, self.largest = smallest, largest

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The rectangle."""
        height, width = v2.query_size(flat_inputs)
        size = self._side(height), self._side(width)
        top, left = _draw(0, height - size[0]), _draw(0, width - size[1])
        return {"top": top, "left": left, "height": size[0], "width": size[1]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Crop one input: pixels, or a group of boxes, which may then leave the canvas."""
        return self._call_kernel(F.crop, inpt, **params)

    def _side(self, side: int) -> int:
        return _draw(min(self.smallest, side), min(self.largest, side))


def _draw(low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, ()))
