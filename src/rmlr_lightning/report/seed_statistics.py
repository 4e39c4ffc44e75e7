"""Statistics over seeds: mean and standard deviation of a row, paired difference of two rows.

The same seed gives both rows the same order of images and the same initial weights. Differences are
therefore taken per seed: effects of the seed that both rows share cancel out.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
SAME = 1e-6  # standard deviation that is rounding only: metrics are float32 in [0, 1]


class Spread(NamedTuple):
    """Mean, standard deviation (n - 1) and t-interval of the mean; NaN for too few values.

    Equal values have no interval either: they do not tell how far the next one lies away.
    """

    seeds: tuple[int, ...]
    mean: float
    sd: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0. Never without an interval."""
        return bool(self.low > 0 or self.high < 0)


def spread(values: Mapping[int, float]) -> Spread:
    """Summarise one value per seed; NaN values are left out.

    The interval is Student's: for normal values, 95 of 100 such intervals contain the true mean.
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
    if sd < SAME:
        return Spread(tuple(known), mean, sd, nan, nan)

    # Half the width of the interval: t quantile times the standard error.
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(x) - 1)) * sd / len(x) ** 0.5
    return Spread(tuple(known), mean, sd, mean - half, mean + half)


def paired_difference(a: Mapping[int, float], b: Mapping[int, float]) -> Spread:
    """Summarise a - b over the seeds that both have."""
    return spread({seed: a[seed] - b[seed] for seed in a.keys() & b.keys()})
