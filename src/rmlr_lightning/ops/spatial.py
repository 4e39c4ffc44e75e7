"""The 36 numbers that describe how two boxes lie to each other."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rmlr_lightning.ops.boxes import paired_iou

SPATIAL_DIM = 36


def spatial_encoding(
    boxes_h: Float[Tensor, "B P 4"],
    boxes_o: Float[Tensor, "B P 4"],
    sizes: Int[Tensor, "B 2"],
    eps: float = 1e-6,
) -> Float[Tensor, "B P 36"]:
    """Centres, widths, heights, areas, aspects, overlap and directed distances, and the logarithms of all 18.

    After "Spatially Conditioned Graphs" (arXiv 2012.06060, section 3.2), as used by UPT. Boxes are relative (xyxy in
    [0, 1]); `sizes` (height, width) gives widths and heights a common unit where they are compared.
    """
    boxes_h, boxes_o = boxes_h.float(), boxes_o.float()
    aspect = (sizes[:, 1] / sizes[:, 0].clamp_min(1)).to(boxes_h.dtype)[
        :, None
    ]  # width of the image in heights
    (xh, yh, wh, hh), (xo, yo, wo, ho) = _centre(boxes_h), _centre(boxes_o)
    dx, dy = (xo - xh) / (wh + eps), (yo - yh) / (hh + eps)
    features = torch.stack(
        [
            *(xh, yh, xo, yo),
            *(wh, hh, wo, ho),
            *(wh * hh, wo * ho),
            wo * ho / (wh * hh + eps),
            wh * aspect / (hh + eps),
            wo * aspect / (ho + eps),
            paired_iou(boxes_h, boxes_o),
            *(dx.clamp_min(0), (-dx).clamp_min(0), dy.clamp_min(0), (-dy).clamp_min(0)),
        ],
        -1,
    )
    return torch.cat([features, torch.log(features + eps)], -1)


def _centre(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
