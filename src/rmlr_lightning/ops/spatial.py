"""Spatial encoding: 36 numbers that describe the layout of two boxes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rmlr_lightning.ops.boxes import iou_of_areas, paired_iou, to_pixels
from rmlr_lightning.ops.masked import at_least_float32

SPATIAL_DIM = 36


def spatial_encoding(
    boxes_h: Float[Tensor, "B P 4"],
    boxes_o: Float[Tensor, "B P 4"],
    sizes: Int[Tensor, "B 2"],
    eps: float = 1e-6,
) -> Float[Tensor, "B P 36"]:
    """18 features of two boxes and their logarithms.

    The features are centres, widths, heights, areas, aspect ratios, IoU and directed distances,
    after "Spatially Conditioned Graphs" (arXiv 2012.06060, section 3.2), as used by UPT. Boxes are
    relative (xyxy in [0, 1]).

    Args:
        sizes: (height, width); gives widths and heights a common unit where they are compared.
    """
    boxes_h, boxes_o = at_least_float32(boxes_h), at_least_float32(boxes_o)
    image_aspect = (sizes[:, 1] / sizes[:, 0].clamp_min(1)).to(boxes_h.dtype)[:, None, None]

    # human and object in one tensor: a GPU takes as long for one of them as for both
    boxes = torch.stack([boxes_h, boxes_o], 2)  # B P 2 4
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2  # B P 2 (x y)
    sides = boxes[..., 2:] - boxes[..., :2]  # B P 2 (width height)
    width, height = sides.unbind(-1)  # B P 2
    areas = width * height
    nonzero = sides + eps
    distance = (centres[:, :, 1] - centres[:, :, 0]) / nonzero[:, :, 0]  # B P (x y)

    features = torch.cat(
        [
            centres.flatten(2),
            sides.flatten(2),
            areas,
            areas[..., 1:] / (areas[..., :1] + eps),
            width * image_aspect / nonzero[..., 1],
            iou_of_areas(boxes_h, boxes_o, *areas.unbind(-1))[..., None],
            # to the right, left, below, above
            torch.stack([distance, -distance], -1).clamp_min(0).flatten(2),
        ],
        -1,
    )
    # no entry is negative, unless a box is inverted: a logarithm of it would be NaN
    return torch.cat([features, torch.log(features.clamp_min(0) + eps)], -1)


def pixel_encoding(
    boxes_h: Float[Tensor, "B P 4"],
    boxes_o: Float[Tensor, "B P 4"],
    sizes: Int[Tensor, "B 2"],
    eps: float = 1e-10,
) -> Float[Tensor, "B P 36"]:
    """The same numbers as UPT's and PViC's released heads were trained on.

    They are computed in pixels, and the logarithms have no lower bound but log(`eps`) = -23, which
    every distance in the other direction has.

    Args:
        boxes_h, boxes_o: relative; parts outside the image count.
        sizes: (height, width). UPT computes in pixels of the resized image; those of the file
            differ in the aspect ratio by the rounding of the resize, at most 0.1 %.
    """
    pixels = to_pixels(sizes)[:, None].to(boxes_h.dtype)
    boxes_h, boxes_o = boxes_h * pixels, boxes_o * pixels
    width, height = pixels[..., 0], pixels[..., 1]
    xh, yh, wh, hh = _centre_and_size(boxes_h)
    xo, yo, wo, ho = _centre_and_size(boxes_o)
    dx, dy = (xo - xh) / (wh + eps), (yo - yh) / (hh + eps)

    features = torch.stack(
        [
            *(xh / width, yh / height, xo / width, yo / height),
            *(wh / width, hh / height, wo / width, ho / height),
            *(wh * hh / (height * width), wo * ho / (height * width)),
            wo * ho / (wh * hh + eps),
            wh / (hh + eps),
            wo / (ho + eps),
            paired_iou(boxes_h, boxes_o),
            *(dx.clamp_min(0), (-dx).clamp_min(0), dy.clamp_min(0), (-dy).clamp_min(0)),
        ],
        -1,
    )
    # no entry is negative for boxes whose centres lie in the image, as a network's do
    return torch.cat([features, torch.log(features.clamp_min(0) + eps)], -1)


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
