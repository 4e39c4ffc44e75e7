"""Bootstrap over images: intervals of a mean AP, and the paired test between two detection files.

Images are drawn with replacement. An image drawn twice counts twice, with its detections and
annotations. A class without annotations in the drawn images is left out of that draw's mean.
Matching is done once: a draw only changes the weights of images. Copies of a detection are ranked
beside it, also among others of the same score.

A mean AP of drawn images is on average higher than that of the images themselves, because true
positives come twice. So draws are moved until their mean is the value: an interval is how
far a value varies, around the value that is reported. What it covers: docs/EVALUATION.md.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from rmlr_lightning.metrics.average_precision import may_precede_true, ranking
from rmlr_lightning.scoring.matched import MatchedDetections, mean_of

DRAWS_AT_ONCE = 50
LEVEL = 0.95


class Interval(NamedTuple):
    """A mean AP with the central 95 % of its draws around it. All in [0, 1]."""

    value: float
    low: float
    high: float
    error: float  # standard deviation of the draws


class Difference(NamedTuple):
    """B minus A, over the same drawn images."""

    a: float
    b: float
    gain: float
    low: float
    high: float
    p: float  # two-sided: twice the share of moved draws in which the gain has the other sign


class Weighted:
    """AP of weighted images: the ranking is sorted once and condensed to its true positives.

    Between two true positives of a class only the number of detections per image matters.

    Args:
        matched: matched detections.
    """

    def __init__(self, matched: MatchedDetections) -> None:
        self.matched = matched
        classes = len(matched.names)
        # Rows that cannot rank before a true positive do not change any AP.
        keep = may_precede_true(matched.classes, matched.scores, matched.true, classes)
        keep = keep[ranking(matched.classes[keep], matched.scores[keep])]
        hits = np.flatnonzero(matched.true[keep])
        self.hit_images = matched.images[keep[hits]]
        self.bounds = np.searchsorted(matched.classes[keep[hits]], np.arange(classes + 1))

        # Count each detection at the next true positive of its class. Behind the last one it does
        # not matter.
        following = np.searchsorted(hits, np.arange(len(keep)))
        counts = following < len(hits)
        counts[counts] = (
            matched.classes[keep[hits[following[counts]]]] == matched.classes[keep[counts]]
        )
        shape = (len(hits), matched.num_images)
        self.ranked = _counts(following[counts], matched.images[keep[counts]], shape)
        self.positives = _counts(
            matched.truth_classes, matched.truth_images, (classes, matched.num_images)
        )

    def means(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each mean AP, (R,), for R weightings of the images, (I, R)."""
        ap, known = self._ap(weights)
        out = {}
        for name, members in self.matched.means.items():
            present = members & (self.matched.positives > 0)
            number = known[present].sum(axis=0)
            mean = np.where(number > 0, ap[present].sum(axis=0) / np.maximum(number, 1), np.nan)
            if not np.isnan(self.matched.absent):
                # Classes without any annotations count as 0, and do so in every draw.
                mean = mean * (present.sum() / max(members.sum(), 1))
            out[name] = mean
        return out

    def _ap(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AP of each class, (C, R), and where the class has annotations, (C, R)."""
        # Both products are sums over images: (C, R), and (true positives, R).
        positives = self.positives @ weights
        ranked, true = self.ranked @ weights, weights[self.hit_images]
        known = positives > 0
        ap = np.zeros(known.shape)
        for index in np.flatnonzero(np.diff(self.bounds)):
            rows = slice(self.bounds[index], self.bounds[index + 1])
            draws = known[index]
            hits = np.cumsum(true[rows][:, draws], axis=0)
            total = np.cumsum(ranked[rows][:, draws], axis=0)
            ap[index, draws] = self.matched.area(
                hits / positives[index, draws], hits / np.maximum(total, 1.0)
            )
        return ap, known


def intervals(matched: MatchedDetections, draws: int, seed: int = 0) -> dict[str, Interval]:
    """The mean APs with their bootstrap intervals.

    Args:
        matched: matched detections.
        draws: number of draws of the images.
        seed: of the draws.
    """
    weighted = Weighted(matched)
    parts = [weighted.means(weights) for weights in _draws(matched.num_images, draws, seed)]
    ap = matched.ap()
    out = {}
    for name, members in matched.means.items():
        values = np.concatenate([part[name] for part in parts])
        out[name] = _interval(mean_of(ap[members]), values)
    return out


def paired(
    a: MatchedDetections, b: MatchedDetections, draws: int, seed: int = 0
) -> dict[str, Difference]:
    """The difference B - A of each mean AP. Both are evaluated on the same draws of images.

    This is not a permutation test: images cannot be swapped between the files, because their scores
    need not have the same scale.
    """
    first, second = Weighted(a), Weighted(b)
    # The same weights for both files: what makes the test paired.
    parts = [(first.means(w), second.means(w)) for w in _draws(a.num_images, draws, seed)]
    ap_a, ap_b = a.ap(), b.ap()
    out = {}
    for name, members in a.means.items():
        gains = np.concatenate([y[name] - x[name] for x, y in parts])
        out[name] = _difference(mean_of(ap_a[members]), mean_of(ap_b[members]), gains)
    return out


def ratio_interval(
    numerators: np.ndarray, denominators: np.ndarray, draws: int, seed: int = 0
) -> Interval:
    """A ratio of sums over images, (I,) each, such as the share of twins that are right."""
    values = _ratios(numerators, denominators, draws, seed)
    return _interval(_ratio(numerators, denominators), values)


def paired_ratio(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], draws: int, seed: int = 0
) -> Difference:
    """The difference B - A of two such ratios over the same images, on the same draws."""
    gains = _ratios(*b, draws, seed) - _ratios(*a, draws, seed)
    return _difference(_ratio(*a), _ratio(*b), gains)


def _interval(value: float, values: np.ndarray) -> Interval:
    """Of a value in [0, 1] and its draws."""
    low, high = _middle(_moved(values, value)).clip(0.0, 1.0)
    return Interval(value, float(low), float(high), _deviation(values))


def _difference(a: float, b: float, gains: np.ndarray) -> Difference:
    """Of two values in [0, 1] and the draws of B - A."""
    gains = _moved(gains, b - a)
    low, high = _middle(gains).clip(-1.0, 1.0)
    return Difference(a, b, b - a, float(low), float(high), _two_sided(gains))


def _moved(values: np.ndarray, value: float) -> np.ndarray:
    """The draws that have a value, moved so that their mean is the value of all images."""
    # A draw without annotations of any class has no mean AP.
    values = values[~np.isnan(values)]
    return values + (value - values.mean()) if len(values) else values


def _ratio(numerators: np.ndarray, denominators: np.ndarray) -> float:
    total = denominators.sum()
    return float(numerators.sum() / total) if total else float("nan")


def _ratios(numerators: np.ndarray, denominators: np.ndarray, draws: int, seed: int) -> np.ndarray:
    parts = []
    for weights in _draws(len(denominators), draws, seed):
        totals = denominators @ weights
        parts.append(np.where(totals > 0, numerators @ weights / np.maximum(totals, 1), np.nan))
    return np.concatenate(parts)


def _two_sided(gains: np.ndarray) -> float:
    """p of a difference: counts plus one, so that it is never smaller than the draws support."""
    sides = ((gains <= 0).sum() + 1, (gains >= 0).sum() + 1)
    return float(min(1.0, 2 * min(sides) / (len(gains) + 1))) if len(gains) else float("nan")


def _draws(images: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Weights of the images, (I, R), some draws at a time."""
    rng = np.random.default_rng(seed)
    for first in range(0, draws, DRAWS_AT_ONCE):
        number = min(DRAWS_AT_ONCE, draws - first)
        # Each draw gets a range of numbers of its own, so that one bincount counts all draws.
        drawn = rng.integers(0, images, (number, images)) + np.arange(number)[:, None] * images
        counts = np.bincount(drawn.ravel(), minlength=number * images)
        yield counts.reshape(number, images).T.astype(np.float64)


def _counts(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _middle(values: np.ndarray) -> np.ndarray:
    if not len(values):
        return np.array([np.nan, np.nan])
    return np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])


def _deviation(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
