"""Shares as percent: with a sign, and with as many decimals as a verdict needs."""

import math
from collections.abc import Iterable

MAX_DIGITS = 4


def percent(value: float, digits: int = 1) -> str:
    """In percent; "-" for NaN."""
    return "-" if math.isnan(value) else f"{100 * value:.{digits}f}"


def signed(value: float, digits: int = 1) -> str:
    """In percent with its sign; "+0.0" for what rounds to 0, "-" for NaN."""
    return "-" if math.isnan(value) else f"{round(100 * value, digits) + 0.0:+.{digits}f}"


def decimals(bounds: Iterable[float], digits: int = 1) -> int:
    """How many decimals the bounds of an interval need, in percent.

    A bound of -0.03 would be shown as 0.0, which contradicts an interval that excludes 0.
    """
    near = [abs(100 * bound) for bound in bounds if bound and math.isfinite(bound)]
    while digits < MAX_DIGITS and any(not round(size, digits) for size in near):
        digits += 1
    return digits
