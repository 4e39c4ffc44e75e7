"""Tensors by name, letters and shape, boxes drawn on an image, and names that stay apart."""

from collections.abc import Iterable, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image
from torch import Tensor


def show(name: str, letters: str, tensor: Tensor) -> None:
    """Print a line: the name, the dimensions as letters and as numbers, type and range.

    Raises:
        ValueError: the tensor has another number of dimensions than letters.
    """
    dims = letters.split()
    if len(dims) != tensor.ndim:
        raise ValueError(f"{name}: {letters} has {len(dims)} letters, the shape {tensor.ndim}")
    shape = " x ".join(map(str, tensor.shape))
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype == torch.bool:
        values = f"{int(tensor.sum())} of {tensor.numel()} are True"
    else:
        finite = tensor[tensor.isfinite()] if tensor.is_floating_point() else tensor
        values = f"{finite.min():.4g} to {finite.max():.4g}"
    print(f"{name:22} {letters:9} {shape:18} {kind:8} {values}")


def boxes_on(
    axis: Axes,
    image: Image.Image,
    boxes: Tensor,
    opacity: Sequence[float] | Tensor | None = None,
    names: Sequence[str] = (),
    lines: Iterable[tuple[int, int]] = (),
    title: str = "",
) -> None:
    """Relative boxes on their image, with names, and lines between the centres of two."""
    axis.imshow(image)
    axis.set_title(title)
    axis.axis("off")
    corners = (boxes * torch.tensor([image.width, image.height] * 2)).tolist()
    texts = []
    for place, (x1, y1, x2, y2) in enumerate(corners):
        alpha = 1.0 if opacity is None else float(opacity[place])
        xs, ys = [x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1]
        axis.plot(xs, ys, color=f"C{place % 10}", alpha=alpha, lw=1.5)
        if names:
            style = {"fontsize": 7, "color": "white", "backgroundcolor": "#00000080"}
            texts.append(axis.text(x1, y1, names[place], **style))
    for a, b in lines:
        (ax, ay), (bx, by) = (
            ((c[0] + c[2]) / 2, (c[1] + c[3]) / 2) for c in map(corners.__getitem__, (a, b))
        )
        axis.plot([ax, bx], [ay, by], color="white", lw=1)
    keep_apart(texts)


def keep_apart(texts: Sequence[Text], up: bool = False) -> None:
    """Move texts of one figure down, or up, until none covers an earlier one."""
    if not texts:
        return
    texts[0].figure.draw_without_rendering()  # gives all of them their places
    occupied: list[Bbox] = []
    for text in texts:
        background = text.get_bbox_patch()
        extent = (background or text).get_window_extent()
        start = extent.y0
        step = (extent.height + 1) * (1 if up else -1)
        while any(extent.overlaps(other) for other in occupied):
            extent = extent.translated(0, step)
        occupied.append(extent)

        transform = text.get_transform()
        x, y = transform.transform(text.get_position())
        text.set_position(transform.inverted().transform((x, y + extent.y0 - start)))


def grid(axes, maps: Sequence[tuple[str, Tensor]]) -> None:
    """Maps with titles, one for each axis; axes without a map stay empty."""
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, values) in zip(axes.flat, maps, strict=False):
        axis.imshow(values, cmap="coolwarm")
        axis.set_title(name, fontsize=9)
