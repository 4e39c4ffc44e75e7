"""Bars inside of tables, drawn by matplotlib: one per row, all on one scale."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from rmlr_lightning.report.inline_svg import CURVES, SETTINGS, TEXT, separate_svgs

WIDTH, HEIGHT = 200, 12  # CSS pixels; a cell stretches the width
GAIN, LOSS = CURVES[0], CURVES[4]


def with_bars(
    rows: Sequence[dict[str, Any]], key: str, limit: float, both_signs: bool = False
) -> list[dict[str, Any]]:
    """Rows of a table with a bar, "bar", of the value `key` of each.

    Args:
        rows: a NaN has no bar.
        key: of the value.
        limit: the value whose bar is as long as the cell is wide.
        both_signs: bars begin in the middle, negative ones go to the left.
    """
    bars = _bars([row[key] for row in rows], limit, both_signs)
    return [row | {"bar": bar} for row, bar in zip(rows, bars, strict=True)]


def _bars(values: Sequence[float], limit: float, both_signs: bool) -> list[Markup]:
    # Importing matplotlib takes a second.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_axis_off()
        limit = limit or 1.0
        axis.set(xlim=(-limit if both_signs else 0, limit), ylim=(-0.5, 0.5))
        # All lie on top of one another: each is shown in an own cell.
        names = [f"bar-{place}" for place in range(len(values))]
        for name, value in zip(names, values, strict=True):
            colour = LOSS if value < 0 else GAIN
            width = 0 if math.isnan(value) else value
            axis.barh(0, width, height=1, color=colour, gid=name, clip_on=False)
        if both_signs:
            axis.axvline(0, color=TEXT, linewidth=1, gid="zero", clip_on=False)
        return separate_svgs(figure, names, shared="zero")
