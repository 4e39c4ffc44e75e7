"""Metrics of a run over its epochs, as a plot."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rmlr_lightning.files import write_atomic


def draw_curves(history: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Write a PNG with two plots: losses on the left, validation metrics on the right.

    Args:
        history: (epoch, value) points by name, metrics in [0, 1]; names with "loss" in them are
            losses.
        path: the PNG; its folder is made.

    Raises:
        UserError: the file cannot be written.
    """
    # A bare Figure needs no display and leaves no global state, unlike pyplot.
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, metrics = figure.subplots(1, 2)
    for name, points in sorted(history.items()):
        axes = losses if "loss" in name else metrics
        factor = 1.0 if "loss" in name else 100.0
        epochs, values = zip(*((epoch, factor * value) for epoch, value in points), strict=True)
        label = name.partition("/")[2].replace("_", " ").replace("map", "mAP")
        axes.plot(epochs, values, marker="o", markersize=2.5, linewidth=1.2, label=label or name)

    losses.set(xlabel="epoch", ylabel="loss", title="Training loss")
    metrics.set(xlabel="epoch", ylabel="%", title="Validation", ylim=(0, 100))
    for axes in (losses, metrics):
        _decorate(axes)
    png = io.BytesIO()
    figure.savefig(png, dpi=140, format="png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, png.getvalue())


def _decorate(axes: Axes) -> None:
    # epochs are whole numbers
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(fontsize=7, frameon=False)
