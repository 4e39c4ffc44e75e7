"""What a feature map shows inside boxes, with its layout."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Numbers between the two products of `roi_align` on a CPU, 8 MB: more leave its caches, and an allocator that gives
# blocks of over 32 MB back to the system at once makes each call pay for fresh pages.
KEPT = 2**21


def _weights(
    start: Float[Tensor, "B N"],
    end: Float[Tensor, "B N"],
    real: Float[Tensor, "B"],
    size: int,
    extent: int,
    samples: int,
) -> Float[Tensor, "B N S E"]:
    """How much each of `extent` cells counts in each of `size` parts of [start, end]: bilinear, mean over samples.

    `real` cells of an image are not padding; start and end are relative to them.
    """
    real = real[:, None, None]
    steps = (torch.arange(size * samples, device=start.device, dtype=start.dtype) + 0.5) / (
        size * samples
    )
    points = (start[..., None] + (end - start)[..., None] * steps) * real - 0.5
    cells = torch.arange(extent, device=start.device, dtype=start.dtype)
    inside = torch.minimum(points.clamp_min(0), (real - 1).clamp_min(0))
    near = (1 - (inside[..., None] - cells).abs()).clamp_min(0)
    return near.unflatten(2, (size, samples)).mean(3)


def extents(
    mask: Bool[Tensor, "B m n"], features: Float[Tensor, "B C h w"]
) -> Float[Tensor, "B 2"]:
    """(rows, columns) of each map that are not padding, which is at the bottom and at the right.

    The mask may have another resolution than the map; the result need not be whole.
    """
    share = shares(mask)
    return share * share.new_tensor(features.shape[2:])


def shares(mask: Bool[Tensor, "B m n"]) -> Float[Tensor, "B 2"]:
    """(rows, columns) of each canvas that are not padding, as shares of its height and width."""
    return torch.stack([mask.any(2).float().mean(1), mask.any(1).float().mean(1)], 1)


def to_canvas(mask: Bool[Tensor, "B m n"]) -> Float[Tensor, "B 4"]:
    """What boxes (xyxy or cxcywh) relative to each picture are to be multiplied by to be relative to its canvas."""
    return shares(mask).flip(1).repeat(1, 2)


def roi_align(
    features: Float[Tensor, "B C h w"],
    boxes: Float[Tensor, "B N 4"],
    size: int,
    real: Float[Tensor, "B 2"] | None = None,
    samples: int = 2,
    then: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, "B N D"]:
    """RoIAlign of relative boxes (xyxy in [0, 1]) to size x size cells, as two matrix products.

    Boxes have the axes of the map, so bilinear sampling is a product from the left (rows) and one from the right
    (columns). Equal to torchvision's `roi_align(aligned=True)`, whose backward pass on a CPU is one scalar loop; this
    one has no list of boxes and compiles.

    Args:
        real: (rows, columns) of each map that boxes are relative to, where maps are padded (`extents`).
        then: done with the cells of each box, for some images at a time, while they are in the processor's caches.

    Returns:
        For each box its cells, flattened by row, column, channel; or what `then` makes of them.
    """
    if real is None:
        real = boxes.new_tensor(features.shape[2:]).expand(len(boxes), 2)
    then = then or torch.nn.Identity()
    between = boxes.shape[1] * size * features.shape[1] * min(features.shape[2:])
    if (
        features.device.type != "cpu"
        or len(boxes) * between <= KEPT
        or torch.compiler.is_compiling()
    ):
        return then(_read(features, boxes, real, size, samples))
    images = max(1, KEPT // between)
    parts = zip(features.split(images), boxes.split(images), real.split(images), strict=True)
    return torch.cat([then(_read(*part, size, samples)) for part in parts])


def _read(
    features: Float[Tensor, "B C h w"],
    boxes: Float[Tensor, "B N 4"],
    real: Float[Tensor, "B 2"],
    size: int,
    samples: int,
) -> Float[Tensor, "B N SSC"]:
    """`roi_align` of all images at once."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    batch, count = x1.shape
    rows = _weights(y1, y2, real[:, 0], size, features.shape[2], samples).to(features.dtype)
    columns = _weights(x1, x2, real[:, 1], size, features.shape[3], samples).to(features.dtype)
    channels, height, width = features.shape[1:]
    if width > height:  # the longer axis goes first: what lies between is smaller
        strips = torch.bmm(columns.flatten(1, 2), features.permute(0, 3, 2, 1).flatten(2))
        cells = (rows[:, :, None] @ strips.view(batch, count, size, height, channels)).transpose(
            2, 3
        )
    else:
        strips = torch.bmm(rows.flatten(1, 2), features.permute(0, 2, 3, 1).flatten(2))
        cells = columns[:, :, None] @ strips.view(batch, count, size, width, channels)
    return cells.flatten(2)


def resample(
    features: Float[Tensor, "B C h w"], grid: tuple[int, int], real: Float[Tensor, "B 2"]
) -> Float[Tensor, "B C gh gw"]:
    """The real part of each map, averaged by area to one grid: what comes out has no padding."""
    rows, columns = (
        _areas(real[:, axis], cells, extent).to(features.dtype)
        for axis, (cells, extent) in enumerate(zip(grid, features.shape[2:], strict=True))
    )
    return rows[:, None] @ features @ columns[:, None].transpose(-1, -2)


def _areas(real: Float[Tensor, "B"], parts: int, extent: int) -> Float[Tensor, "B S E"]:
    """The share of each of `extent` cells in each of `parts` equal parts of the first `real` cells."""
    width = (real / parts)[:, None, None]
    start = width * torch.arange(parts, device=real.device, dtype=real.dtype)[:, None]
    cells = torch.arange(extent, device=real.device, dtype=real.dtype)
    shared = torch.minimum(start + width, cells + 1) - torch.maximum(start, cells)
    return shared.clamp_min(0) / width.clamp_min(1e-6)
