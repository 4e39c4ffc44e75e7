"""Weighted AP against the plain metric on images that are really repeated."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmlr_lightning.metrics.average_precision import all_points
from rmlr_lightning.metrics.hicodet import PairTable
from rmlr_lightning.scoring.bootstrap import Weighted, intervals, paired, ratio_interval
from rmlr_lightning.scoring.matched import MatchedDetections, matched_hicodet
from tests.metrics import tiny_worlds as worlds


def matched(world) -> MatchedDetections:
    rows = [(i, row) for i, image in enumerate(world) for row in image[1]]
    truths = [(i, row) for i, image in enumerate(world) for row in image[0]]
    table = worlds.VOCABULARY.hoi_table()

    def boxes(values):
        return np.array(values, dtype=np.float32).reshape(-1, 4)

    def whole(values):
        return np.array(values, dtype=np.int64)

    found = PairTable(
        whole([i for i, _ in rows]),
        boxes([row[2] for _, row in rows]),
        boxes([row[3] for _, row in rows]),
        whole([table[row[1], row[0]] for _, row in rows]),
    )
    truth = PairTable(
        whole([i for i, _ in truths]),
        boxes([row[1] for _, row in truths]),
        boxes([row[2] for _, row in truths]),
        whole([row[0] for _, row in truths]),
    )
    scores = np.array([row[4] for _, row in rows], dtype=np.float32)
    return matched_hicodet(truth, found, scores, len(world), worlds.VOCABULARY)["default"]


def without_ties(world):
    """Other scores. Among equal ones, the copies of a detection are ranked beside it in a draw,
    but with the other detections of their image in a repeated image."""
    numbers = count()
    return [
        (truths, [(*row[:4], row[4] + 1e-3 * next(numbers)) for row in found], labels)
        for truths, found, labels in world
    ]


@pytest.mark.parametrize("area", ["eleven", "all"])
@settings(max_examples=60, deadline=None)
@given(world=worlds.worlds.filter(len), random=st.randoms(use_true_random=False))
def test_weights_are_repeated_images(area, world, random):
    world = without_ties(world)
    weights = [random.randrange(4) for _ in world]
    repeated = [image for image, weight in zip(world, weights, strict=True) for _ in range(weight)]
    once, many = matched(world), matched(repeated)
    if area == "all":
        once, many = (s._replace(area=all_points, absent=float("nan")) for s in (once, many))
    means = Weighted(once).means(np.array(weights, dtype=np.float64)[:, None])
    ap, present = many.ap(), many.positives > 0
    for name, members in once.means.items():
        known = members & present
        share = (members & (once.positives > 0)).sum() / members.sum() if area == "eleven" else 1.0
        expected = ap[known].mean() * share if known.any() else np.nan
        assert means[name][0] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_intervals_hold_the_value_and_repeat():
    one = matched(worlds.random_world(1, 40))
    first, again = intervals(one, 200, seed=3), intervals(one, 200, seed=3)
    assert first == again != intervals(one, 200, seed=4)
    assert first["full"].low < first["full"].value < first["full"].high
    assert first["full"].value == pytest.approx(one.ap().mean())


def test_intervals_are_moved_by_the_bias_of_the_draws():
    """Draws have a higher mean AP: true positives come twice, and rare classes are left out."""
    one = matched(worlds.random_world(0, 30))
    weights = np.random.default_rng(0).multinomial(30, [1 / 30] * 30, 4000).T.astype(float)
    draws = Weighted(one).means(weights)["full"]
    found = intervals(one, 4000)["full"]
    bias = draws.mean() - found.value
    expected = np.quantile(draws, [0.025, 0.975]) - bias
    assert bias > 0.01 and (found.low, found.high) == pytest.approx(expected, abs=0.01)


def test_an_interval_stays_in_the_range_of_its_value():
    one = ratio_interval(np.array([1.0] * 19 + [0.0]), np.ones(20), 400)
    assert one.value == 0.95 and one.high == 1.0 and 0.8 < one.low < 0.9


def test_a_file_equals_itself_and_a_worse_one_is_told():
    world = worlds.random_world(2, 60)
    one = matched(world)
    same = paired(one, one, 100)["full"]
    assert (same.gain, same.low, same.high, same.p) == (0, 0, 0, 1)
    rng = np.random.default_rng(0)
    worse = matched([(t, [(*r[:4], float(rng.random())) for r in f], w) for t, f, w in world])
    forward = paired(worse, one, 300)["full"]
    assert forward.gain == pytest.approx(forward.b - forward.a)
    assert forward.low > 0 and forward.p < 0.05
    back = paired(one, worse, 300)["full"]
    assert back.gain == pytest.approx(-forward.gain) and back.p == pytest.approx(forward.p)


def test_no_detections_at_all():
    world = worlds.random_world(3, 5)
    without_detections = matched([(truths, [], labels) for truths, _, labels in world])
    assert intervals(without_detections, 10)["full"][:3] == (0, 0, 0)
