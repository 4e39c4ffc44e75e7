"""Where the marks of a chart lie, in percent of its width and height; templates draw them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

NEAR = 2  # points: smaller differences keep a nearly linear scale beside much larger ones
COLOURS, DASHES = 8, 4  # of style.css: their pairs distinguish 32 curves
MAX_READINGS = 50  # of a chart, evenly spread over its epochs
NARROW_GAP = 19  # percent of the width that the label of a tick takes on a phone
TICKS = sorted([sign * size for sign in (-1, 1) for size in (1, 2, 5, 10, 20, 40, 100)] + [0])


def far_apart(differences: Iterable[float]) -> bool:
    """Whether some are so large that small ones would lie on top of one another."""
    sizes = [abs(value) for value in differences]
    return max(sizes, default=0) > 5 * NEAR and sum(size < NEAR for size in sizes) > 1


class Scale(NamedTuple):
    """From values to percent of a length; logarithmic beyond `near` from 0, if that is given."""

    low: float
    high: float
    ticks: tuple[float, ...]
    near: float | None = None

    def place(self, value: float) -> float:
        """In percent; 0 is `low`. Values outside are moved to the end."""
        low, high, value = (self._moved(x) for x in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def _moved(self, value: float) -> float:
        if self.near is None:
            return value
        return math.copysign(math.log1p(abs(value) / self.near), value)

    def label(self, value: float) -> str:
        """Of a tick."""
        return f"{value:g}"

    def labelled(self, gap: float = NARROW_GAP) -> set[float]:
        """The ticks that have a label where labels need `gap` percent of the width; 0 is one."""
        kept: list[float] = []
        # From 0 and the ends inwards: without these a scale is not read.
        ends = (0.0, self.ticks[0], self.ticks[-1])
        first = [tick for tick in ends if tick in self.ticks]
        for tick in (*first, *self.ticks):
            if all(abs(self.place(tick) - self.place(other)) >= gap for other in kept):
                kept.append(tick)
        return set(kept)

    @property
    def note(self) -> str:
        """What a title adds where equal lengths are not equal differences."""
        return "" if self.near is None else f", logarithmic beyond ±{self.near:g}"


def scale_of(values: Iterable[float], include: Sequence[float] = (), ticks: int = 5) -> Scale:
    """A scale with round ends that holds all finite values."""
    from matplotlib.ticker import MaxNLocator

    known = [value for value in (*values, *include) if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    # A single value stands in the middle.
    if low == high:
        low, high = low - 0.5, high + 0.5
    places = MaxNLocator(nbins=ticks).tick_values(low, high)
    # -0.0, and digits of a sum such as 0.30000000000000004
    places = tuple(round(float(place), 10) + 0.0 for place in places)
    return Scale(places[0], places[-1], places)


def difference_scale(values: Iterable[float], middles: Iterable[float]) -> Scale:
    """A scale around 0; logarithmic where some differences are small beside others.

    Args:
        values: all that it holds.
        middles: the differences themselves.
    """
    values = [value for value in values if math.isfinite(value)]
    if not far_apart(middles):
        return scale_of(values, include=[0.0])
    low, high = min(values, default=0.0), max(values, default=0.0)
    # the first tick beyond each end
    first = max((tick for tick in TICKS if tick <= low), default=min(low, TICKS[0]))
    last = min((tick for tick in TICKS if tick >= high), default=max(high, TICKS[-1]))
    ticks = tuple(float(tick) for tick in TICKS if first <= tick <= last)
    return Scale(first, last, ticks, NEAR)


class Mark(NamedTuple):
    """A value with its interval on the line of a forest plot, in percent of the width."""

    at: float
    low: float | None  # None: no interval
    high: float | None
    points: tuple[float, ...]  # single seeds
    colour: int  # number of the series


def mark(
    scale: Scale, value: float, low: float, high: float, points=(), colour: int = 0
) -> Mark | None:
    """None for a value that is not a number."""
    if not math.isfinite(value):
        return None
    # One seed, or a run without a record, has a point only.
    ends = (None, None)
    if math.isfinite(low) and math.isfinite(high):
        ends = scale.place(low), scale.place(high)
    return Mark(scale.place(value), *ends, tuple(map(scale.place, points)), colour)


class Reading(NamedTuple):
    """An upright strip of a chart, in percent of its width, and what is read under the pointer."""

    left: float
    width: float
    text: str


class Line(NamedTuple):
    """A curve: its name, the points of an SVG polyline from 0 to 100, and its last value."""

    name: str
    points: str
    last: str
    colour: int
    dash: int  # of the stroke, where the colours are used up; 0 is none
    single: tuple[float, float] | None  # a curve of one point is drawn as a dot


class Chart(NamedTuple):
    """Curves with both axes."""

    title: str
    lines: list[Line]
    x: Scale
    y: Scale
    readings: list[Reading]


def curves_chart(title: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> Chart | None:
    """Curves over epochs; None without any point."""
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        return None
    epochs = [epoch for points in curves.values() for epoch, _ in points]
    x = scale_of(epochs, ticks=6)
    y = scale_of([value for points in curves.values() for _, value in points], include=[0.0])
    # whole epochs, from the first to the last
    ticks = tuple(tick for tick in x.ticks if tick == int(tick) and tick >= min(epochs))
    x = Scale(min(epochs), max(max(epochs), min(epochs) + 1), ticks)
    x = x._replace(ticks=tuple(tick for tick in ticks if tick <= x.high))
    lines = []
    for number, (name, points) in enumerate(curves.items()):
        # SVG counts downwards.
        places = [(x.place(epoch), round(100 - y.place(value), 2)) for epoch, value in points]
        text = " ".join(f"{a:g},{b:g}" for a, b in places)
        single = places[0] if len(places) == 1 else None
        dash, colour = divmod(number, COLOURS)
        last = f"{points[-1][1]:.3g}"
        lines.append(Line(name, text, last, colour, dash % DASHES, single))
    return Chart(title, lines, x, y, _readings(curves, x))


def _readings(curves: Mapping[str, Sequence[tuple[float, float]]], x: Scale) -> list[Reading]:
    """The values of all curves at an epoch, each epoch up to half-way to the next."""
    epochs = sorted({epoch for points in curves.values() for epoch, _ in points})
    epochs = epochs[:: math.ceil(len(epochs) / MAX_READINGS)]
    values = {name: dict(points) for name, points in curves.items()}
    ends = [0.0, *(x.place((a + b) / 2) for a, b in pairwise(epochs)), 100.0]
    out = []
    for epoch, (left, right) in zip(epochs, pairwise(ends), strict=True):
        # curves lie on top of one another, so that all are named
        rows = [f"{name}: {known[epoch]:.3g}" for name, known in values.items() if epoch in known]
        out.append(Reading(left, round(right - left, 2), "\n".join([f"epoch {epoch:g}", *rows])))
    return out
