"""RoI features: what a feature map holds inside boxes, with its layout.

Boxes have the axes of the map. Bilinear sampling is therefore a product from the left (rows) and
one from the right (columns), both with small weight matrices that are made from the boxes.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# On a CPU: numbers between the two products of `roi_align` that still fit its caches (8 MB). Above
# 32 MB the allocator returns a block to the system at once, and each call pays for fresh pages.
MAX_INTERMEDIATE = 2**21


def map_extents(
    mask: Bool[Tensor, "B m n"], features: Float[Tensor, "B C h w"]
) -> Float[Tensor, "B 2"]:
    """(rows, columns) of each map that are not padding, which is at the bottom and at the right.

    The mask may have another resolution than the map; the result need not be whole.
    """
    rows, columns = _real_shares(mask)
    return torch.stack([rows * features.shape[2], columns * features.shape[3]], 1)


def _real_shares(mask: Bool[Tensor, "B m n"]) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:
    """Shares of the rows and of the columns of each canvas that are not padding."""
    return mask.any(2).float().mean(1), mask.any(1).float().mean(1)


def to_canvas(mask: Bool[Tensor, "B m n"]) -> Float[Tensor, "B 4"]:
    """Factors from boxes (xyxy or cxcywh) relative to the image to boxes relative to its canvas."""
    rows, columns = _real_shares(mask)
    return torch.stack([columns, rows, columns, rows], 1)


def roi_align(
    features: Float[Tensor, "B C h w"],
    boxes: Float[Tensor, "B N 4"],
    size: int,
    extents: Float[Tensor, "B 2"] | None = None,
    samples: int = 2,
    project: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, "B N D"]:
    """RoIAlign of relative boxes (xyxy in [0, 1]) to size x size cells.

    Equal to torchvision's `roi_align(aligned=True)` with `samples` samples per cell and axis. That
    one has a list of boxes and a backward pass that is one scalar loop on a CPU; this one compiles.

    Args:
        extents: (rows, columns) of each map that boxes are relative to, where maps are padded
            (`map_extents`); the whole map if None.
        project: applied to the cells of each box, for a few images at a time, while they are
            still in the processor's caches.

    Returns:
        The cells of each box, flattened by row, column, channel; or the output of `project`.
    """
    if extents is None:
        extents = _whole(features, boxes)

    def align(
        features: Float[Tensor, "b C h w"],
        boxes: Float[Tensor, "b N 4"],
        extents: Float[Tensor, "b 2"],
    ) -> Float[Tensor, "b N D"]:
        cells = _sample(features, boxes, extents, size, samples)
        return cells if project is None else project(cells)

    # traced before the sizes are compared, which would fix them in an exported program
    if torch.compiler.is_compiling() or features.device.type != "cpu":
        return align(features, boxes, extents)
    per_image = boxes.shape[1] * size * features.shape[1] * min(features.shape[2:])
    if len(boxes) * per_image <= MAX_INTERMEDIATE:
        return align(features, boxes, extents)

    images = max(1, MAX_INTERMEDIATE // per_image)
    parts = zip(features.split(images), boxes.split(images), extents.split(images), strict=True)
    return torch.cat([align(*part) for part in parts])


def _whole(features: Float[Tensor, "B C h w"], boxes: Float[Tensor, "B N 4"]) -> Tensor:
    """The extents of maps without padding, "B 2"."""
    # made on the device: it would wait for numbers of the CPU
    rows, columns = features.shape[2:]
    sides = torch.linspace(rows, columns, 2, device=boxes.device, dtype=boxes.dtype)
    return sides.expand(boxes.shape[0], 2)  # `len` would fix the size of an exported program


def _sample(
    features: Float[Tensor, "B C h w"],
    boxes: Float[Tensor, "B N 4"],
    extents: Float[Tensor, "B 2"],
    size: int,
    samples: int,
) -> Float[Tensor, "B N SSC"]:
    """The cells of all boxes, by two matrix products."""
    batch, count = boxes.shape[:2]
    channels, height, width = features.shape[1:]
    points = _sample_points(boxes, extents, size, samples)
    # both axes at once: a GPU takes as long for one of them
    weights = _bilinear_weights(points, _longer(features), samples).to(features.dtype)
    columns, rows = weights[:, 0, ..., :width], weights[:, 1, ..., :height]

    # The longer axis goes first, so that the intermediate result is small. An exported program
    # serves maps of any size with one order.
    if not torch.compiler.is_exporting() and width > height:
        strips = torch.bmm(columns.flatten(1, 2), features.permute(0, 3, 2, 1).flatten(2))
        strips = strips.view(batch, count, size, height, channels)
        cells = (rows[:, :, None] @ strips).transpose(2, 3)
    else:
        strips = torch.bmm(rows.flatten(1, 2), features.permute(0, 2, 3, 1).flatten(2))
        strips = strips.view(batch, count, size, width, channels)
        cells = columns[:, :, None] @ strips
    return cells.flatten(2)


def _longer(features: Float[Tensor, "B C h w"]) -> int:
    """The number of rows or columns, whichever is larger."""
    height, width = features.shape[2:]
    if isinstance(height, int) and isinstance(width, int):
        return max(height, width)
    return torch.sym_max(height, width)  # of an exported program, which serves maps of any size


def _sample_points(
    boxes: Float[Tensor, "B N 4"], extents: Float[Tensor, "B 2"], size: int, samples: int
) -> Float[Tensor, "B 2 N SS"]:
    """Columns (0) and rows (1) of the samples, in cells; a cell's centre is a whole number.

    `extents` cells of an image are not padding; boxes are relative to them.
    """
    first, last = boxes.transpose(1, 2)[..., None].chunk(2, 1)  # B 2 (x y) N 1
    # the middle of each of the equal parts of a side
    half = 0.5 / (size * samples)
    steps = torch.linspace(half, 1 - half, size * samples, device=boxes.device, dtype=boxes.dtype)
    columns_rows = extents.flip(1)[..., None, None]
    points = torch.lerp(first, last, steps) * columns_rows - 0.5
    return torch.minimum(points, columns_rows - 1).clamp_min(0)


def _bilinear_weights(
    points: Float[Tensor, "*n SS"], cells: int, samples: int
) -> Float[Tensor, "*n S E"]:
    """Weights of the map's `cells` along an axis, averaged over the samples of each part."""
    index = torch.arange(cells, device=points.device, dtype=points.dtype)
    weights = (1 - (points[..., None] - index).abs()).clamp_min(0)
    return weights.unflatten(-2, (-1, samples)).mean(-2)


def resample(
    features: Float[Tensor, "B C h w"], grid: tuple[int, int], extents: Float[Tensor, "B 2"]
) -> Float[Tensor, "B C gh gw"]:
    """The real part of each map, averaged by area to one grid. The result has no padding."""
    height, width = features.shape[2:]
    lengths = torch.stack([extents[:, 0] / grid[0], extents[:, 1] / grid[1]], 1)
    weights = _area_weights(lengths, max(grid), _longer(features)).to(features.dtype)
    rows, columns = weights[:, 0, : grid[0], :height], weights[:, 1, : grid[1], :width]
    return rows[:, None] @ features @ columns[:, None].transpose(-1, -2)


def stretched(
    features: Float[Tensor, "B C h w"],
    extents: Float[Tensor, "B 2"],
    size: tuple[int, int],
    size_extents: Float[Tensor, "B 2"],
) -> Float[Tensor, "B C H W"]:
    """The real part of each map, resampled bilinearly to the real part of a map of another size.

    Of maps without padding this is `interpolate(align_corners=False)`. Padding is arbitrary.

    Args:
        extents, size_extents: (rows, columns) of both maps that are real.
    """
    rows = _stretch_weights(extents[:, 0], size_extents[:, 0], features.shape[2], size[0])
    columns = _stretch_weights(extents[:, 1], size_extents[:, 1], features.shape[3], size[1])
    rows, columns = rows.to(features.dtype), columns.to(features.dtype)
    return rows[:, None] @ features @ columns[:, None].transpose(-1, -2)


def _stretch_weights(
    extent: Float[Tensor, "B"], to: Float[Tensor, "B"], cells: int, size: int
) -> Float[Tensor, "B S E"]:
    """Weights of `cells` along one axis in each of `size` cells, of which `to` are real."""
    steps = torch.arange(size, device=extent.device, dtype=extent.dtype) + 0.5
    points = steps * (extent / to.clamp_min(1))[:, None] - 0.5
    points = torch.minimum(points, (extent - 1)[:, None]).clamp_min(0)
    index = torch.arange(cells, device=extent.device, dtype=extent.dtype)
    return (1 - (points[..., None] - index).abs()).clamp_min(0)


def _area_weights(
    lengths: Float[Tensor, "B 2"], parts: int, cells: int
) -> Float[Tensor, "B 2 S E"]:
    """Shares of the map's `cells` in each of `parts` parts of equal length, along both axes."""
    length = lengths[..., None, None]
    edges = length * torch.arange(parts + 1, device=length.device, dtype=length.dtype)[:, None]
    index = torch.arange(cells, device=length.device, dtype=length.dtype)

    # how much of each cell lies before each edge
    before = (edges - index).clamp(0, 1)
    return before.diff(dim=2) / length.clamp_min(1e-6)
