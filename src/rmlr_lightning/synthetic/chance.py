"""Random streams, and draws that equal numpy's own numbers at a fraction of their cost.

An image takes some hundred draws of one or a few values, where numpy's general functions cost 12
to 20 us per call.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from rmlr_lightning.synthetic.draw import Color


def streams(seed: int, *names: int) -> np.random.Generator:
    """The stream of a seed and a list of names: different names, independent streams."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *names])))


class SeedWords(ISeedSequence):
    """The state words of a seed, kept: a pose is tried many times from one seed."""

    def __init__(self, seed: int) -> None:
        self.words = np.random.SeedSequence(seed).generate_state(4, np.uint64)

    def generate_state(self, n_words: int, dtype=np.uint64) -> np.ndarray:
        """The four words that PCG64 needs."""
        return self.words


_seed_words = lru_cache(maxsize=64)(SeedWords)


def stream(seed: int) -> np.random.Generator:
    """Equals `np.random.Generator(np.random.PCG64(seed))`."""
    return np.random.Generator(np.random.PCG64(_seed_words(seed)))


@lru_cache(maxsize=256)
def _cumulative(weights: tuple[float, ...]) -> list[float]:
    share = np.array(weights) / np.array(weights).sum()
    steps = share.cumsum()
    return (steps / steps[-1]).tolist()


def weighted(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
    """Equals `rng.choice(len(weights), p=weights / sum(weights))`."""
    return bisect_right(_cumulative(weights), rng.random())


def tinted(rng: np.random.Generator, colors: Sequence[Color], spread: int) -> Color:
    """One of the colours (RGB, 0 to 255), each channel moved by up to `spread`."""
    red, green, blue = colors[rng.integers(len(colors))]

    red += int(rng.integers(-spread, spread + 1))
    green += int(rng.integers(-spread, spread + 1))
    blue += int(rng.integers(-spread, spread + 1))
    return min(max(red, 0), 255), min(max(green, 0), 255), min(max(blue, 0), 255)


def tinted_many(
    rng: np.random.Generator, colors: Sequence[Color], spread: int, count: int
) -> list[Color]:
    """Equals `count` calls of `tinted` with two or more colours."""
    # One row per colour in the order of `tinted`: which colour, then the three offsets.
    low = [0, -spread, -spread, -spread]
    high = [len(colors), spread + 1, spread + 1, spread + 1]
    drawn = rng.integers(np.tile(low, (count, 1)), high)

    rgb = np.clip(np.array(colors)[drawn[:, 0]] + drawn[:, 1:], 0, 255)
    return [tuple(color) for color in rgb.tolist()]
