"""Charts of HTML pages, drawn by matplotlib: curves, forest plots and reliability diagrams."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

from markupsafe import Markup

from rmlr_lightning.errors import counted
from rmlr_lightning.report.inline_svg import (
    CURVES,
    SETTINGS,
    TEXT,
    inline_svg,
    plain,
)

NEAR = 2  # points: smaller differences keep a linear scale beside much larger ones
TICKS = sorted([sign * size for sign in (-1, 1) for size in (1, 2, 5, 10, 20, 40, 100)] + [0])
DASHES = ("-", (0, (7, 3)), (0, (2, 3)), (0, (9, 3, 2, 3)))  # where the colours are used up
MAX_READINGS = 50  # of a chart, evenly spread over its epochs
# In CSS pixels on a phone of 400: text is then as large as that of the page.
WIDTH, NAME_WIDTH = 380, 52  # and characters of a name on one line
PIXELS = 72  # of a figure's inch


class Chart(NamedTuple):
    """A plot of a page and its heading."""

    title: str
    svg: Markup


class Bar(NamedTuple):
    """A line of a forest plot: a value with its interval, and the single seeds."""

    name: str
    value: float  # NaN: a name without a mark
    low: float = math.nan
    high: float = math.nan
    points: Sequence[float] = ()
    colour: int = 0


def far_apart(differences: Iterable[float]) -> bool:
    """Whether some are so large that small ones would lie on top of one another."""
    sizes = [abs(value) for value in differences]
    return max(sizes, default=0) > 5 * NEAR and sum(size < NEAR for size in sizes) > 1


def logarithmic(axis: Any) -> str:
    """Make the scale of differences logarithmic beyond `NEAR`; what its label adds."""
    from matplotlib import ticker

    axis.set_xscale("symlog", linthresh=NEAR, linscale=0.8)
    axis.xaxis.set_major_locator(ticker.FixedLocator(TICKS))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    return f", logarithmic beyond ±{NEAR}"


def curves_chart(
    title: str,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    names: Sequence[str] = (),
    by_size: bool = False,
) -> Chart | None:
    """Curves over epochs, 0 included; None without any point.

    Args:
        title: heading.
        curves: (epoch, value) by the name of a curve.
        names: of several charts of a page, which give each name the same colour.
        by_size: logarithmic, without 0, where some curves are ten times as large as others.
    """
    curves = {plain(name): points for name, points in curves.items() if points}
    if not curves:
        return None
    last = {name: f"{name}: {points[-1][1]:.3g}" for name, points in curves.items()}
    order = list(dict.fromkeys((*map(plain, names), *curves)))
    with _figure(150, names=list(last.values())) as figure:
        axis = figure.subplots()
        lines = []
        for name, points in curves.items():
            dash, colour = divmod(order.index(name), len(CURVES))
            line = axis.plot(
                *zip(*points, strict=True),
                color=CURVES[colour],
                linestyle=DASHES[dash % len(DASHES)],
                linewidth=1.8,
                marker="o" if len(points) == 1 else None,
            )
            lines += line
        _epoch_axis(axis, [epoch for points in curves.values() for epoch, _ in points])
        if by_size and _far_in_size(curves.values()):
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.set_ylabel("logarithmic")
        else:
            axis.locator_params(axis="y", nbins=5)
            low, high = axis.get_ylim()
            axis.set_ylim(min(low, 0.0), max(high, 0.0))
        readings = _readings(curves)
        for place, (left, right, _) in enumerate(readings):
            axis.axvspan(left, right, gid=f"reading-{place}", linewidth=0)
        _legend(figure, lines, list(last.values()))
        texts = {f"reading-{place}": text for place, (_, _, text) in enumerate(readings)}
        return _chart(figure, title, list(last.values()), texts)


def forest_chart(
    title: str,
    bars: Sequence[Bar],
    unit: str,
    include: float | None = None,
    is_difference: bool = False,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> Chart | None:
    """Values with their intervals, each below its name; None without any value.

    Args:
        title: heading.
        bars: from top to bottom.
        unit: label of the axis.
        include: where a dashed line is drawn: no difference, or chance.
        is_difference: logarithmic where some values are small beside others.
        limits: of what a value can be. A longer interval ends there, with an arrow.
    """
    known = [bar for bar in bars if math.isfinite(bar.value)]
    if not known:
        return None
    names = [textwrap.wrap(plain(bar.name), NAME_WIDTH) or [""] for bar in bars]
    # The height of a line of text is 1.
    heights = [len(lines) + 1.2 for lines in names]
    with _figure(15 * sum(heights)) as figure:
        axis = figure.subplots()
        top, texts = 0.0, {}
        for bar, lines, height in zip(bars, names, heights, strict=True):
            place = top + len(lines) + 0.35
            axis.text(
                0, top, "\n".join(lines), transform=axis.get_yaxis_transform(), va="top", color=TEXT
            )
            if math.isfinite(bar.value):
                _draw_bar(axis, place, bar, limits)
                name = f"reading-{len(texts)}"
                axis.axhspan(top, top + height, gid=name, linewidth=0)
                texts[name] = _bar_text(bar)
            top += height
        axis.set_ylim(top, 0)
        axis.set_yticks([])
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
        if include is not None:
            axis.axvline(include, color=TEXT, linestyle=(0, (3, 3)), linewidth=1)
        axis.margins(x=0.03)
        if is_difference and far_apart(bar.value for bar in known):
            unit += logarithmic(axis)
        axis.set_xlabel(unit)
        return _chart(figure, title, list(texts.values()), texts)


def reliability_chart(
    title: str, name: str, bins: Sequence[tuple[float, float, float, int]]
) -> Chart:
    """How many detections are true at each score, in percent.

    Args:
        title: heading.
        name: of the score.
        bins: (from, to, true, detections) of each bin that has detections, the first three in
            percent.
    """
    with _figure(190) as figure:
        axis = figure.subplots()
        texts = {}
        for place, (left, right, true, count) in enumerate(bins):
            span = {"x": left, "width": 0.94 * (right - left), "align": "edge"}
            axis.bar(height=true, color=CURVES[0], alpha=0.75, **span)
            # the whole height is touched, because a bar may be low
            axis.bar(height=100, gid=f"reading-{place}", **span)
            texts[f"reading-{place}"] = (
                f"{left:.0f} to {right:.0f} %: {counted(count, 'detection')}, {true} % true"
            )
        axis.axline((0, 0), (100, 100), color=TEXT, linestyle=(0, (3, 3)), linewidth=1.2)
        axis.set(xlim=(0, 100), ylim=(0, 100), xlabel=f"{name}, %", ylabel="true, %")
        axis.set_xticks(range(0, 101, 25))
        axis.set_yticks(range(0, 101, 25))
        return _chart(figure, title, list(texts.values()), texts)


@contextmanager
def _figure(height: float, names: Sequence[str] = ()) -> Iterator[Any]:
    """A figure with so many pixels for its marks, and more for labels and a legend of `names`."""
    # Importing matplotlib takes a second.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        height += 45 + 16 * sum(len(textwrap.wrap(name, NAME_WIDTH)) for name in names)
        yield Figure(figsize=(WIDTH / PIXELS, height / PIXELS), dpi=PIXELS, layout="constrained")


def _chart(figure: Any, title: str, values: Sequence[str], readings: Mapping[str, str]) -> Chart:
    # Nothing lies outside of the axes: paths need no clipping.
    for artist in figure.findobj():
        artist.set_clip_on(False)
    for axis in figure.axes:
        axis.tick_params(length=0)
    return Chart(title, inline_svg(figure, f"{title}: {'; '.join(values)}", readings))


def _far_in_size(curves: Iterable[Sequence[tuple[float, float]]]) -> bool:
    """Whether some curves lie on the line of 0 beside others."""
    last = [points[-1][1] for points in curves]
    smallest = min(value for points in curves for _, value in points)
    return smallest > 0 and max(last) > 10 * min(last)


def _epoch_axis(axis: Any, epochs: Sequence[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlim(min(epochs), max(max(epochs), min(epochs) + 1))
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_xlabel("epoch")


def _legend(figure: Any, lines: Sequence[Any], names: Sequence[str]) -> None:
    legend = figure.legend(
        lines,
        [str(number) for number in range(len(lines))],
        loc="outside lower left",
        frameon=False,
        labelcolor=TEXT,
        handlelength=2.4,
        labelspacing=0.3,
        borderpad=0,
        borderaxespad=0,
    )
    # Set afterwards: matplotlib leaves out names that begin with "_".
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(textwrap.fill(name, NAME_WIDTH))


def _draw_bar(axis: Any, place: float, bar: Bar, limits: tuple[float, float]) -> None:
    colour = CURVES[bar.colour]
    if math.isfinite(bar.low) and math.isfinite(bar.high):
        # Student's interval over two seeds may be wider than percentages can be.
        low, high = max(bar.low, limits[0]), min(bar.high, limits[1])
        axis.plot([low, high], [place, place], color=colour, linewidth=2)
        for end, is_whole, arrow in ((low, low == bar.low, "<"), (high, high == bar.high, ">")):
            mark = {"marker": "|", "markersize": 9} if is_whole else {"marker": arrow}
            axis.plot(end, place, color=colour, markeredgewidth=1.6, **mark)
    if bar.points:
        seeds = [place + 0.4] * len(bar.points)
        axis.plot(
            bar.points, seeds, "o", markersize=3.5, markeredgewidth=0, color=colour, alpha=0.55
        )
    axis.plot(bar.value, place, "o", markersize=7.5, color=colour)


def _bar_text(bar: Bar) -> str:
    text = f"{plain(bar.name)}: {bar.value:.2f}"
    if math.isfinite(bar.low) and math.isfinite(bar.high):
        text += f", 95 % interval {bar.low:.2f} to {bar.high:.2f}"
    if bar.points:
        text += f", seeds {', '.join(f'{point:.2f}' for point in bar.points)}"
    return text


def _readings(
    curves: Mapping[str, Sequence[tuple[float, float]]],
) -> list[tuple[float, float, str]]:
    """The values of all curves at an epoch, and from where to where: half-way to the next one."""
    epochs = sorted({epoch for points in curves.values() for epoch, _ in points})
    epochs = epochs[:: math.ceil(len(epochs) / MAX_READINGS)]
    values = {name: dict(points) for name, points in curves.items()}
    end = max(epochs[-1], epochs[0] + 1)
    ends = [epochs[0], *((a + b) / 2 for a, b in pairwise(epochs)), end]
    out = []
    for epoch, (left, right) in zip(epochs, pairwise(ends), strict=True):
        # curves lie on top of one another, so that all are named
        rows = [f"{name}: {known[epoch]:.3g}" for name, known in values.items() if epoch in known]
        out.append((left, right, "\n".join([f"epoch {epoch:g}", *rows])))
    return out
