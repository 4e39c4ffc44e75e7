"""What a few seeds tell: mean and standard deviation of a row, and the paired difference of two rows.

The same seed draws the same order of images and the same first weights in both rows, so that differences are taken
seed by seed; what the seed does to both cancels out.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95


class Spread(NamedTuple):
    """Mean, standard deviation (n - 1) and t-interval of the mean; NaN where there are too few values."""

    seeds: tuple[int, ...]
    mean: float
    sd: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Is the interval clear of 0? Never with one seed."""
        return bool(self.low > 0 or self.high < 0)


def spread(values: Mapping[int, float]) -> Spread:
    """Of one value for each seed; NaN values are left out.

    The interval is Student's: it holds the true mean in 95 of 100 repetitions, if the values are normal.
    """
    known = {seed: value for seed, value in sorted(values.items()) if not np.isnan(value)}
    x = np.array(list(known.values()), dtype=np.float64)
    nan = float("nan")
    if len(x) == 0:
        return Spread((), nan, nan, nan, nan)
    mean = float(x.mean())
    if len(x) == 1:
        return Spread(tuple(known), mean, nan, nan, nan)
    sd = float(x.std(ddof=1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(x) - 1)) * sd / len(x) ** 0.5
    return Spread(tuple(known), mean, sd, mean - half, mean + half)


def paired_difference(a: Mapping[int, float], b: Mapping[int, float]) -> Spread:
    """Of a - b, over the seeds that both have."""
    return spread({seed: a[seed] - b[seed] for seed in a.keys() & b.keys()})
