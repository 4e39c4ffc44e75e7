"""A report as a picture: every row with its interval, every seed as a small point."""

import io
import textwrap
from collections.abc import Mapping

from rmlr_lightning.report.rows import Report
from rmlr_lightning.report.seed_statistics import Spread
from rmlr_lightning.report.text import size_name

COLOURS = ("#1f5fa8", "#d1730f", "#2e8b57", "#8a4fa3", "#777777")
NEAR = 2  # points of mAP within which differences are drawn to scale beside much larger ones
TICKS = [sign * size for sign in (-1, 1) for size in (1, 2, 5, 10, 20, 40)] + [0]


def report_png(
    report: Report, runs_by_row: Mapping[tuple[str, int | None], Mapping[int, float]], what: str
) -> bytes:
    """Draw the full mAP; with a baseline also the paired differences.

    Args:
        report: the rows.
        runs_by_row: full mAP of every seed, by row and size, in [0, 1].
        what: the name of the horizontal axis.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

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
    for row in report.rows:
        if "full" not in row.metrics:
            continue
        k = sizes.index(row.train)
        y = names.index(row.name) + 0.7 * ((k + 0.5) / len(sizes) - 0.5)
        colour = COLOURS[k % len(COLOURS)]
        points = runs_by_row[row.name, row.train]
        _dot(axes[0, 0], y, row.metrics["full"], points, colour)
        if panels == 2 and "full" in row.gains:
            base = runs_by_row[report.baseline, row.train]
            paired = {seed: points[seed] - base[seed] for seed in row.gains["full"].seeds}
            _dot(axes[0, 1], y, row.gains["full"], paired, colour)
    labels = [textwrap.fill(report.labels[name], 38) for name in names]
    axes[0, 0].set_yticks(range(len(names)), labels)
    axes[0, 0].set_ylim(len(names) - 0.4, -0.6)  # the first row on top
    axes[0, 0].set_xlabel(f"{what}\nbar: 95 % interval of the mean; small points: seeds")
    if panels == 2:
        axes[0, 1].axvline(0, color="black", linewidth=0.8)
        label = f"difference to {report.labels[report.baseline]}, paired by seed"
        if _far_apart(report):
            axes[0, 1].set_xscale("symlog", linthresh=NEAR, linscale=0.8)
            axes[0, 1].xaxis.set_major_locator(ticker.FixedLocator(TICKS))
            axes[0, 1].xaxis.set_major_formatter("{x:g}")
            axes[0, 1].xaxis.set_minor_locator(ticker.NullLocator())
            label += f"; logarithmic beyond {NEAR}"
        axes[0, 1].set_xlabel(textwrap.fill(label, 44))
    for axis in axes[0]:
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.08)
    if len(sizes) > 1:
        handles = [
            pyplot.Line2D(
                [],
                [],
                marker="o",
                color=COLOURS[k % len(COLOURS)],
                label=size_name(size) or "size unknown",
            )
            for k, size in enumerate(sizes)
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(sizes), frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    pyplot.close(figure)
    return buffer.getvalue()


def _far_apart(report: Report) -> bool:
    """Whether some differences are so large that small ones would lie on top of one another."""
    sizes = [abs(100 * row.gains["full"].mean) for row in report.rows if "full" in row.gains]
    return max(sizes, default=0) > 5 * NEAR and sum(size < NEAR for size in sizes) > 1


def _dot(axis, y: float, spread: Spread, points: Mapping[int, float], colour: str) -> None:
    """The mean with its 95 % interval (none for one seed), and the seeds just below it."""
    seeds = [100 * value for value in points.values()]
    axis.scatter(seeds, [y + 0.12] * len(seeds), s=9, color=colour, alpha=0.55, linewidths=0)
    if spread.low == spread.low:
        axis.plot(
            [100 * spread.low, 100 * spread.high],
            [y, y],
            color=colour,
            linewidth=1.6,
            solid_capstyle="butt",
        )
    axis.plot([100 * spread.mean], [y], marker="o", markersize=6, color=colour)
