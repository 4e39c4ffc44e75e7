"""Random streams, and draws that give numpy's own numbers from the same stream at a part of their cost.

A picture takes some hundred draws of one or a few values; numpy's general functions cost 12 to 20 us a call there.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from rmlr_lightning.synthetic.draw import Color


def streams(seed: int, *names: int) -> np.random.Generator:
    """An own stream for every list of names."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *names])))


class Words(ISeedSequence):
    """What a seed becomes before it starts a stream: kept, because a pose is tried many times from one seed."""

    def __init__(self, seed: int) -> None:
        self.words = np.random.SeedSequence(seed).generate_state(4, np.uint64)

    def generate_state(self, n_words: int, dtype=np.uint64) -> np.ndarray:
        """Of PCG64's four words."""
        return self.words


words = lru_cache(maxsize=64)(Words)


def stream(seed: int) -> np.random.Generator:
    """`np.random.Generator(np.random.PCG64(seed))`."""
    return np.random.Generator(np.random.PCG64(words(seed)))


@lru_cache(maxsize=256)
def _steps(weights: tuple[float, ...]) -> list[float]:
    share = np.array(weights) / np.array(weights).sum()
    steps = share.cumsum()
    return (steps / steps[-1]).tolist()


def weighted(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
    """`rng.choice(len(weights), p=weights / sum(weights))`."""
    return bisect_right(_steps(weights), rng.random())


def tinted(rng: np.random.Generator, colors: Sequence[Color], spread: int) -> Color:
    """One of the colours, each channel moved by up to `spread`."""
    r, g, b = colors[rng.integers(len(colors))]
    off = rng.integers
    r, g, b = (
        r + int(off(-spread, spread + 1)),
        g + int(off(-spread, spread + 1)),
        b + int(off(-spread, spread + 1)),
    )
    return min(max(r, 0), 255), min(max(g, 0), 255), min(max(b, 0), 255)


def tinted_many(
    rng: np.random.Generator, colors: Sequence[Color], spread: int, count: int
) -> list[Color]:
    """As so many calls of `tinted` with two or more colours."""
    low, high = [0, -spread, -spread, -spread], [len(colors), spread + 1, spread + 1, spread + 1]
    drawn = rng.integers(np.tile(low, (count, 1)), high)
    return [
        tuple(color)
        for color in np.clip(np.array(colors)[drawn[:, 0]] + drawn[:, 1:], 0, 255).tolist()
    ]
