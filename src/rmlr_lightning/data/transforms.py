"""From a picture to the canvas the detector sees. Augmentations are torchvision's v2, composed in conf/."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F


class ResizeExact:
    """Stretch to (height, width), whatever the aspect: RT-DETR and D-FINE know no padding."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """The canvas for a picture of this size."""
        return self.height, self.width


class ResizeShortest:
    """Keep the aspect: the shorter side becomes `shortest` unless the longer would pass `longest` (DETR: 800, 1333)."""

    def __init__(self, shortest: int = 800, longest: int = 1333) -> None:
        self.shortest, self.longest = shortest, longest

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """The canvas for a picture of this size."""
        scale = min(self.shortest / min(height, width), self.longest / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))


def transform(
    image: Image.Image,
    boxes: Sequence[Float[Tensor, "G 4"]],
    resize: ResizeExact | ResizeShortest,
    augment: Callable | None = None,
) -> tuple[Float[Tensor, "3 H W"], list[Float[Tensor, "G 4"]]]:
    """Augment a picture together with its boxes, and bring it to the canvas.

    Args:
        image: the picture, RGB.
        boxes: groups of boxes in pixels of the picture.
        resize: what decides the canvas.
        augment: a v2 transform over (image, groups of boxes), or nothing. It must keep every box: flips, colour, noise.

    Returns:
        Pixels in [0, 1] on the canvas, and the boxes, still in pixels of the picture as it came (flipped with it).
    """
    width, height = image.size
    groups = [
        tv_tensors.BoundingBoxes(
            group.reshape(-1, 4), format="XYXY", canvas_size=(height, width), clamping_mode=None
        )
        for group in boxes
    ]
    image = F.resize(image, list(resize.canvas(height, width)), antialias=True)
    pixels = F.to_image(image)
    if augment is not None:
        canvas = resize.canvas(height, width)
        groups = [F.resize(group, list(canvas)) for group in groups]
        pixels, groups = augment(pixels, groups)
        scale = torch.tensor([width / canvas[1], height / canvas[0]] * 2)
        groups = [group * scale for group in groups]
    return F.to_dtype(pixels, torch.float32, scale=True).as_subclass(Tensor), [
        g.as_subclass(Tensor) for g in groups
    ]
