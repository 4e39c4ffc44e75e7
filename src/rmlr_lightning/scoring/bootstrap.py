"""How sure is a mean AP? The bootstrap over images, and the paired test between two files of detections.

Images are drawn with replacement; an image drawn twice counts twice, with its detections and its annotations. A class
that no drawn image has annotations of is left out of that draw's mean. Matching is done once: a draw only changes
weights.
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
    """A mean AP with the middle 95 % of its draws. All in [0, 1]."""

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
    p: float  # two-sided: how often a draw's gain has the other sign, doubled


class Weighted:
    """AP of weighted images: the ranking is sorted once and condensed to its true positives.

    Between one true positive of a class and the next only the number of detections from each image matters.
    """

    def __init__(self, scored: MatchedDetections) -> None:
        self.scored = scored
        classes = len(scored.names)
        keep = may_precede_true(scored.classes, scored.scores, scored.true, classes)
        keep = keep[ranking(scored.classes[keep], scored.scores[keep])]
        hits = np.flatnonzero(scored.true[keep])
        self.hit_images = scored.images[keep[hits]]
        self.bounds = np.searchsorted(scored.classes[keep[hits]], np.arange(classes + 1))
        # A detection stands before the next true positive; after the last one of its class it does not matter.
        following = np.searchsorted(hits, np.arange(len(keep)))
        some = following < len(hits)
        some[some] = scored.classes[keep[hits[following[some]]]] == scored.classes[keep[some]]
        shape = (len(hits), scored.num_images)
        self.ranked = _counts(following[some], scored.images[keep[some]], shape)
        self.positives = _counts(
            scored.truth_classes, scored.truth_images, (classes, scored.num_images)
        )

    def means(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each mean AP, (R,), of R weightings of the images, (I, R)."""
        positives = self.positives @ weights
        ranked, true = self.ranked @ weights, weights[self.hit_images]
        known = positives > 0
        ap = np.zeros(known.shape)
        for index in np.flatnonzero(np.diff(self.bounds)):
            rows = slice(self.bounds[index], self.bounds[index + 1])
            there = known[index]
            found, seen = (
                np.cumsum(true[rows][:, there], axis=0),
                np.cumsum(ranked[rows][:, there], axis=0),
            )
            ap[index, there] = self.scored.area(
                found / positives[index, there], found / np.maximum(seen, 1.0)
            )
        out = {}
        for name, chosen in self.scored.means.items():
            present = chosen & (self.scored.positives > 0)
            number = known[present].sum(axis=0)
            mean = np.where(number > 0, ap[present].sum(axis=0) / np.maximum(number, 1), np.nan)
            # Where classes without any annotations count as 0, they do so in every draw.
            out[name] = (
                mean
                if np.isnan(self.scored.absent)
                else mean * (present.sum() / max(chosen.sum(), 1))
            )
        return out


def intervals(scored: MatchedDetections, draws: int, seed: int = 0) -> dict[str, Interval]:
    """The mean APs with their bootstrap intervals.

    Args:
        scored: matched detections.
        draws: how many times to draw the images.
        seed: the same seed draws the same images.
    """
    weighted = Weighted(scored)
    parts = [weighted.means(weights) for weights in _draws(scored.num_images, draws, seed)]
    ap = scored.ap()
    out = {}
    for name, chosen in scored.means.items():
        values = np.concatenate([part[name] for part in parts])
        out[name] = Interval(mean_of(ap[chosen]), *_middle(values), _deviation(values))
    return out


def paired(
    a: MatchedDetections, b: MatchedDetections, draws: int, seed: int = 0
) -> dict[str, Difference]:
    """Is B better than A, or did it meet easier luck? Both are scored on the same draws of images.

    Images are not swapped between the files, as a permutation test would: their scores need not be on one scale.
    """
    first, second = Weighted(a), Weighted(b)
    parts = [(first.means(w), second.means(w)) for w in _draws(a.num_images, draws, seed)]
    ap_a, ap_b = a.ap(), b.ap()
    out = {}
    for name, chosen in a.means.items():
        gains = np.concatenate([y[name] - x[name] for x, y in parts])
        gains = gains[~np.isnan(gains)]
        value_a, value_b = mean_of(ap_a[chosen]), mean_of(ap_b[chosen])
        # One more than counted, so that no p is smaller than the draws can tell.
        sides = ((gains <= 0).sum() + 1, (gains >= 0).sum() + 1)
        p = min(1.0, 2 * min(sides) / (len(gains) + 1)) if len(gains) else float("nan")
        out[name] = Difference(value_a, value_b, value_b - value_a, *_middle(gains), p)
    return out


def _draws(images: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for first in range(0, draws, DRAWS_AT_ONCE):
        number = min(DRAWS_AT_ONCE, draws - first)
        chosen = rng.integers(0, images, (number, images)) + np.arange(number)[:, None] * images
        yield (
            np.bincount(chosen.ravel(), minlength=number * images)
            .reshape(number, images)
            .T.astype(np.float64)
        )


def _counts(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _middle(values: np.ndarray) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _deviation(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
