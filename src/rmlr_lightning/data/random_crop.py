"""The random crop of DETR's augmentation, as a torchvision v2 transform."""

from typing import Any

import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F


class RandomSizeCrop(v2.Transform):
    """Crop a rectangle of random size at a random place (DETR, arXiv 2005.12872, appendix A.4).

    Boxes are moved with the crop and may reach beyond it; whoever reads them clips them.

    Args:
        minimum, maximum: of height and of width, in pixels. A smaller image is not cropped.
    """

    def __init__(self, minimum: int = 384, maximum: int = 600) -> None:
        super().__init__()
        self.minimum, self.maximum = minimum, maximum

    def make_params(self, flat_inputs: list[Any]) -> dict[str, int]:
        height, width = v2.query_size(flat_inputs)
        crop_height, crop_width = self._side(height), self._side(width)
        return {
            "top": _random(0, height - crop_height),
            "left": _random(0, width - crop_width),
            "height": crop_height,
            "width": crop_width,
        }

    def transform(self, inpt: Any, params: dict[str, int]) -> Any:
        return self._call_kernel(F.crop, inpt, **params)

    def _side(self, side: int) -> int:
        return _random(min(self.minimum, side), min(self.maximum, side))


def _random(first: int, last: int) -> int:
    """A random integer, both ends included."""
    return int(torch.randint(first, last + 1, ()))
