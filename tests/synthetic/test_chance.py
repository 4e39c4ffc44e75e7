"""Fast draws equal numpy's own draws from the same stream."""

import numpy as np
import pytest

from rmlr_lightning.synthetic.chance import stream, tinted, tinted_many, weighted

COLORS = ((90, 110, 130), (250, 225, 5))


def numpy_stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_stream_equals_numpys_each_time_it_starts():
    for seed in (0, 1, 2**31 - 1, 0):
        assert stream(seed).random(5).tolist() == numpy_stream(seed).random(5).tolist()


@pytest.mark.parametrize("weights", [(1.0,), (0.4, 0.6), (0.5, 0.2, 0.15, 0.15), (3.0, 1.0)])
def test_weighted_equals_choice(weights):
    ours, numpys = numpy_stream(3), numpy_stream(3)
    share = np.array(weights) / np.sum(weights)
    for _ in range(500):
        assert weighted(ours, weights) == numpys.choice(len(weights), p=share)
    assert ours.random() == numpys.random()


def test_tinted_is_near_one_of_the_colours_and_within_a_byte():
    rng = numpy_stream(4)
    for color in (tinted(rng, COLORS, 16) for _ in range(200)):
        assert min(np.abs(np.subtract(color, c)).max() for c in COLORS) <= 16
        assert all(0 <= v <= 255 for v in color)


@pytest.mark.parametrize("count", [0, 1, 7, 60])
def test_tinted_many_equals_calls_of_tinted(count):
    ours, single = numpy_stream(5), numpy_stream(5)
    expected = [tinted(single, COLORS, 16) for _ in range(count)]
    assert tinted_many(ours, COLORS, 16, count) == expected
    assert ours.random() == single.random()
