"""From an image to the canvas that the detector reads.

Augmentations are torchvision's v2 transforms, composed in conf/.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
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

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the canvas for an image of this size, in pixels."""
        return self.height, self.width


class ResizeShortest:
    """Resize with the aspect ratio kept, as DETR does (800, 1333).

    The shorter side becomes `shortest` pixels, or less where the longer would exceed `longest`.
    """

    def __init__(self, shortest: int = 800, longest: int = 1333) -> None:
        self.shortest, self.longest = shortest, longest

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the canvas for an image of this size, in pixels."""
        scale = min(self.shortest / min(height, width), self.longest / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))


def transform(
    image: Image.Image,
    boxes: Sequence[Float[Tensor, "G 4"]],
    resize: ResizeExact | ResizeShortest,
    augment: Callable | None = None,
) -> tuple[Float[Tensor, "3 H W"], list[Float[Tensor, "G 4"]]]:
    """Resize an image to its canvas and augment it together with its boxes.

    Args:
        image: RGB.
        boxes: groups of xyxy boxes in pixels of the image.
        resize: size of the canvas.
        augment: a v2 transform over (pixels, groups of boxes) or None. It must keep every box:
            flips, colour and noise do.

    Returns:
        Pixels in [0, 1] on the canvas, and the groups of boxes in pixels of the image, flipped
        with it.
    """
    width, height = image.size
    canvas = resize.canvas(height, width)
    groups = [
        tv_tensors.BoundingBoxes(
            group.reshape(-1, 4), format="XYXY", canvas_size=(height, width), clamping_mode=None
        )
        for group in boxes
    ]
    pixels = F.to_image(F.resize(image, list(canvas), antialias=True))

    if augment is not None:
        # boxes visit the canvas only for the augmentation: without it they stay exact
        groups = [F.resize(group, list(canvas)) for group in groups]
        pixels, groups = augment(pixels, groups)
        scale = torch.tensor([width / canvas[1], height / canvas[0]] * 2)
        groups = [group * scale for group in groups]

    pixels = F.to_dtype(pixels, torch.float32, scale=True).as_subclass(Tensor)
    return pixels, [group.as_subclass(Tensor) for group in groups]
