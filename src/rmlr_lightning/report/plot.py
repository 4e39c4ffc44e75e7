"""A report as a plot: every row with its interval, every seed as a small point."""

import io
import textwrap
from collections.abc import Mapping
from typing import Any

from rmlr_lightning.report.cells import size_name
from rmlr_lightning.report.charts import far_apart, logarithmic
from rmlr_lightning.report.rows import Report, Row
from rmlr_lightning.report.seed_statistics import Spread

COLOURS = ("#1f5fa8", "#d1730f", "#2e8b57", "#8a4fa3", "#777777")


def report_png(report: Report, split: str) -> bytes:
    """Draw the main metric; with a baseline also the paired differences."""
    import matplotlib

    # Importing matplotlib takes a second, and a server may have no display.
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(row.name for row in report.rows))
    sizes = report.sizes()
    panels = 2 if any(row.gains for row in report.rows) else 1
    height = 1.3 + len(names) * max(0.42, 0.24 * len(sizes))
    figure, axes = pyplot.subplots(
        1,
        panels,
        figsize=(4.6 + 3.6 * panels, height),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )

    main = report.main
    key = f"{split}/{report.metrics[main]}"
    by_seed = {(row.name, row.train): _by_seed(row, key) for row in report.rows}
    for row in report.rows:
        if main not in row.metrics:
            continue
        # The sizes of a row stand side by side on its line.
        number = sizes.index(row.train)
        y = names.index(row.name) + 0.7 * ((number + 0.5) / len(sizes) - 0.5)
        colour = COLOURS[number % len(COLOURS)]
        points = by_seed[row.name, row.train]
        _draw_row(axes[0, 0], y, row.metrics[main], points, colour)
        if main in row.gains:
            base = by_seed.get((report.baseline or "", row.train), {})
            # One point per seed that both rows have.
            paired = {
                seed: points[seed] - base[seed] for seed in row.gains[main].seeds if seed in base
            }
            _draw_row(axes[0, 1], y, row.gains[main], paired, colour)

    labels = [textwrap.fill(report.labels[name], 38) for name in names]
    axes[0, 0].set_yticks(range(len(names)), labels)
    axes[0, 0].set_ylim(len(names) - 0.4, -0.6)  # the first row on top
    what = "mAP full" if main == "full" else main
    axes[0, 0].set_xlabel(
        f"{what} on the {split} split (%)\nbar: 95 % interval of the mean; small points: seeds"
    )
    if panels == 2:
        _difference_axis(axes[0, 1], report)
    for axis in axes[0]:
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.08)
    # Intervals of two seeds may be wider than percentages can be.
    for axis, lowest in zip(axes[0], (0, -100), strict=False):
        low, high = axis.get_xlim()
        axis.set_xlim(max(low, lowest), min(high, 100))

    if len(sizes) > 1:
        _size_legend(figure, sizes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    pyplot.close(figure)
    return buffer.getvalue()


def _by_seed(row: Row, key: str) -> dict[int, float]:
    return {run.seed: run.metrics[key] for run in row.runs if key in run.metrics}


def _difference_axis(axis: Any, report: Report) -> None:
    axis.axvline(0, color="black", linewidth=0.8)
    label = f"difference to {report.labels[report.baseline or '']}, paired by seed"
    main = report.main
    if far_apart(100 * row.gains[main].mean for row in report.rows if main in row.gains):
        label += logarithmic(axis)
    axis.set_xlabel(textwrap.fill(label, 44))


def _size_legend(figure: Any, sizes: list[int | None]) -> None:
    from matplotlib import pyplot

    handles = []
    for number, size in enumerate(sizes):
        colour = COLOURS[number % len(COLOURS)]
        label = size_name(size) or "size unknown"
        handles.append(pyplot.Line2D([], [], marker="o", color=colour, label=label))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(sizes), frameon=False)


def _draw_row(
    axis: Any, y: float, spread: Spread, points: Mapping[int, float], colour: str
) -> None:
    """The mean with its 95 % interval (none for one seed), and the seeds just below it."""
    seeds = [100 * value for value in points.values()]
    axis.scatter(seeds, [y + 0.12] * len(seeds), s=9, color=colour, alpha=0.55, linewidths=0)
    if spread.low == spread.low:  # not NaN
        interval = [100 * spread.low, 100 * spread.high]
        axis.plot(interval, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    axis.plot([100 * spread.mean], [y], marker="o", markersize=6, color=colour)
