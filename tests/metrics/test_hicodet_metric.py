"""HICO-DET's metric against a reference in loops, and its invariances."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmlr_lightning.metrics import HICODetMeanAP, PairTable, score_hicodet
from rmlr_lightning.metrics.hicodet import match_annotations
from tests.metrics import hicodet_reference as reference
from tests.metrics import tiny_worlds as worlds


def metric_of(world, numbers=None, batches=None, **kwargs):
    metric = HICODetMeanAP(worlds.VOCABULARY, **kwargs)
    numbers = list(range(len(world))) if numbers is None else numbers
    for batch in [numbers] if batches is None else batches:
        metric.update(
            [worlds.detections(world[i][1]) for i in batch],
            [worlds.target(i, world[i][0], world[i][2]) for i in batch],
        )
    return metric


def expected(world):
    truths, found, labels = worlds.columns(world)
    default = reference.all_ap(5, truths, found)
    known = reference.all_ap(5, truths, found, labels, worlds.OBJECT_OF)
    return default, known


def assert_exact(metric, world):
    default, known = expected(world)
    numbers = metric.per_class()
    assert numbers["ap"].tolist() == pytest.approx(default, abs=1e-12)
    assert numbers["known_object_ap"].tolist() == pytest.approx(known, abs=1e-12)
    means = metric.compute()
    assert means["map_full"].item() == pytest.approx(np.mean(default), abs=1e-12)
    assert means["map_rare"].item() == pytest.approx((default[1] + default[4]) / 2, abs=1e-12)
    assert means["known_object_map_non_rare"].item() == pytest.approx(
        np.mean([known[i] for i in (0, 2, 3)]), abs=1e-12
    )


@settings(max_examples=300, deadline=None)
@given(worlds.worlds)
def test_equals_the_reference(world):
    assert_exact(metric_of(world), world)


@settings(max_examples=100, deadline=None)
@given(worlds.worlds, st.randoms(use_true_random=False))
def test_order_batches_and_merging_change_nothing(world, random):
    numbers = list(range(len(world)))
    random.shuffle(numbers)
    cuts = sorted(random.randrange(len(world) + 1) for _ in range(3))
    batches = [numbers[a:b] for a, b in zip([0, *cuts], [*cuts, len(numbers)], strict=True)]
    assert_exact(metric_of(world, batches=batches), world)
    merged = metric_of(world, batches=batches[:2])
    merged.compute()
    merged.merge_state(metric_of(world, batches=batches[2:]))
    assert_exact(merged, world)


@settings(max_examples=100, deadline=None)
@given(worlds.worlds, st.integers(0, 5))
def test_an_image_counts_once(world, extra):
    again = list(range(len(world)))[:extra]
    assert_exact(metric_of(world, batches=[again, list(range(len(world))), again]), world)


@settings(max_examples=50, deadline=None)
@given(worlds.worlds)
def test_flat_function_takes_images_in_any_order(world):
    images = [(i, row) for i, image in enumerate(world) for row in image[1]]
    images.sort(
        key=lambda entry: (entry[0] * 7919) % 11
    )  # images shuffled, rows of one image in order
    truths = [(i, row) for i, image in enumerate(world) for row in image[0]]
    table = worlds.VOCABULARY.hoi_table()

    def flat(values, width=4):
        return np.array(values, dtype=np.float32).reshape(-1, width)

    found = PairTable(
        np.array([i for i, _ in images], dtype=np.int64),
        flat([row[2] for _, row in images]),
        flat([row[3] for _, row in images]),
        np.array([table[row[1], row[0]] for _, row in images], dtype=np.int64),
    )
    truth = PairTable(
        np.array([i for i, _ in truths], dtype=np.int64),
        flat([row[1] for _, row in truths]),
        flat([row[2] for _, row in truths]),
        np.array([row[0] for _, row in truths], dtype=np.int64),
    )
    scores = np.array([row[4] for _, row in images])
    results = score_hicodet(
        truth, found, scores, len(world), worlds.VOCABULARY, [image[2] for image in world]
    )
    default, known = expected(world)
    assert results["default"].ap.tolist() == pytest.approx(default, abs=1e-12)
    assert results["known_object"].ap.tolist() == pytest.approx(known, abs=1e-12)


def test_iou_of_exactly_one_half_is_a_match_and_less_is_not():
    truth = [(0, (0, 0, 10, 10), (0, 0, 10, 10))]
    for width, ap in ((5.0, 1.0), (4.9375, 0.0)):
        world = [(truth, [(0, 0, (0, 0, 10, 10), (0, 0, width, 10), 0.5)], frozenset())]
        assert metric_of(world).per_class()["ap"][0] == ap


def test_more_than_a_hundred_detections_all_count():
    box = (0, 0, 10, 10)
    rows = [(0, 0, (50, 50, 60, 60), box, 0.9)] * 300 + [(0, 0, box, box, 0.5)]
    metric = metric_of([([(0, box, box)], rows, frozenset())])
    assert metric.per_class()["ap"][0] == pytest.approx(1 / 301)
    assert metric.per_class()["detections"][0] == 301
    assert metric.per_class()["recall"][0] == 1


def test_negative_zero_infinite_and_double_scores_rank_as_numbers():
    box, far = (0, 0, 10, 10), (50, 50, 60, 60)
    truth = [(0, box, box)]
    for wrong, right, ap in (
        (0.0, -0.0, 0.5),
        (-0.0, 0.0, 0.5),
        (0.1, 0.1 + 1e-12, 1.0),
        (1e9, float("inf"), 1.0),
    ):
        metric = HICODetMeanAP(worlds.VOCABULARY)
        found = worlds.detections([(0, 0, far, box, 0.0), (0, 0, box, box, 0.0)])
        found = found._replace(scores=torch.tensor([wrong, right], dtype=torch.float64))
        metric.update([found], [worlds.target(0, truth)])
        assert metric.per_class()["ap"][0] == ap


def test_ties_between_images_follow_the_order_that_is_given():
    box, far = (0, 0, 10, 10), (50, 50, 60, 60)
    world = [
        ([(0, box, box)], [(0, 0, box, box, 0.5)], frozenset()),
        ([], [(0, 0, far, far, 0.5)], frozenset()),
    ]
    assert metric_of(world).per_class()["ap"][0] == 1.0
    assert metric_of(world, image_order=[1, 0]).per_class()["ap"][0] == 0.5


def test_reset_forward_and_keys():
    world = worlds.random_world(3, 7)
    metric = metric_of(world)
    before = metric.compute()
    # forward keeps what came before
    metric([worlds.detections(world[0][1])], [worlds.target(99, world[0][0], world[0][2])])
    assert metric.per_class()["positives"].sum() == sum(len(i[0]) for i in world) + len(world[0][0])
    metric.reset()
    metric.update([], [])
    assert metric.compute()["map_full"] == 0 != before["map_full"]
    for validation in (metric_of(world, known_object=False), metric_of(world, split="val")):
        assert set(validation.compute()) == {"map_full", "map_rare", "map_non_rare"}
        assert torch.equal(validation.compute()["map_full"], before["map_full"])


def test_half_precision_detections_are_taken_as_they_are():
    world = worlds.random_world(4, 5)
    metric = HICODetMeanAP(worlds.VOCABULARY)
    for i, (truths, found, labels) in enumerate(world):
        rows = worlds.detections(found)
        rows = rows._replace(scores=rows.scores.bfloat16(), boxes_h=rows.boxes_h.half())
        metric.update([rows], [worlds.target(i, truths, labels)])
    exact = [
        (t, [(*r[:4], float(torch.tensor(r[4]).bfloat16())) for r in f], w) for t, f, w in world
    ]
    assert_exact(metric, exact)


def test_copies_casts_and_pickles_keep_the_numbers():
    metric = metric_of(worlds.random_world(7, 6))
    before = metric.compute()["map_full"]
    for other in (
        metric.clone(),
        pickle.loads(pickle.dumps(metric)),
        metric.to(torch.bfloat16),
        metric.half(),
    ):
        other._computed = None
        assert torch.equal(other.compute()["map_full"], before)


def test_an_empty_role_is_no_pair():
    box = (0, 0, 10, 10)
    target = worlds.target(0, [(0, box, box), (2, box, box)])._replace(hois=torch.tensor([0, -1]))
    metric = HICODetMeanAP(worlds.VOCABULARY)
    metric.update([worlds.detections([(0, 0, box, box, 0.5)])], [target])
    assert metric.per_class()["positives"].tolist() == [1, 0, 0, 0, 0]
    assert metric.per_class()["known_object_ap"][0] == 1


def test_what_cannot_be_ranked_is_refused():
    metric = HICODetMeanAP(worlds.VOCABULARY)
    good = worlds.detections([(0, 0, (0, 0, 1, 1), (0, 0, 1, 1), 0.5)])
    for bad, message in (
        (good._replace(scores=torch.tensor([float("nan")])), "NaN"),
        (good._replace(verbs=torch.tensor([3])), "outside the vocabulary"),
        (good._replace(objects=torch.tensor([-1])), "outside the vocabulary"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.update([bad], [worlds.target(0, [])])
    with pytest.raises(ValueError, match="targets hold a HOI outside"):
        metric.update(
            [good], [worlds.target(0, [(0, (0,) * 4, (0,) * 4)])._replace(hois=torch.tensor([5]))]
        )
    with pytest.raises(ValueError, match="one item per image"):
        metric.update([good], [])


@settings(max_examples=30, deadline=None)
@given(worlds.worlds)
def test_unseen_classes_are_averaged_apart(world):
    default, _ = expected(world)
    means = metric_of(world, unseen=frozenset({1, 3})).compute()
    assert means["map_unseen"].item() == pytest.approx((default[1] + default[3]) / 2, abs=1e-12)
    assert means["map_seen"].item() == pytest.approx(
        (default[0] + default[2] + default[4]) / 3, abs=1e-12
    )
    unseen, seen = means["map_unseen"].item(), means["map_seen"].item()
    # the harmonic mean lies between the two, and is 0 if one of them is
    harmonic = means["map_harmonic"].item()
    assert harmonic * (unseen + seen) == pytest.approx(2 * unseen * seen)
    assert min(unseen, seen) - 1e-12 <= harmonic <= max(unseen, seen) + 1e-12


def test_matches_are_annotations_and_minus_one_without_one():
    """A detection whose verb and object form no HOI changes nothing for the others."""
    near, far = [0.0, 0.0, 9.0, 9.0], [50.0, 50.0, 59.0, 59.0]
    truth = PairTable(
        np.array([0, 1]), np.array([near] * 2), np.array([near] * 2), np.array([2, 3])
    )
    boxes = np.array([near, near, far, near])
    detections = PairTable(np.array([0, 0, 1, 1]), boxes, boxes, np.array([2, -1, 3, 3]))
    true, matched = match_annotations(truth, detections, np.array([0.4, 0.9, 0.8, 0.7]), 2, 5)
    assert true.tolist() == [True, False, False, True]
    assert matched.tolist() == [0, -1, -1, 1]
    none, unmatched = match_annotations(PairTable(*(c[:0] for c in truth)), detections, boxes, 2, 5)
    assert not none.any() and unmatched.tolist() == [-1] * 4


def test_ties_are_ranked_by_image_whatever_the_order_of_rows():
    near, far = [0.0, 0.0, 9.0, 9.0], [50.0, 50.0, 59.0, 59.0]
    truth = PairTable(np.array([0]), np.array([near]), np.array([near]), np.array([1]))
    boxes = np.array([far, near])  # of image 1, then of image 0
    detections = PairTable(np.array([1, 0]), boxes, boxes, np.array([1, 1]))
    result = score_hicodet(truth, detections, np.array([0.5, 0.5]), 2, worlds.VOCABULARY)
    assert result["default"].ap[1] == 1


@pytest.mark.parametrize("images", [9, 5_000_000])
def test_more_images_than_keys_of_32_bits_can_number(images):
    """Image and class make one key; with 600 classes 32 bits suffice for 3.5 million images."""
    boxes = np.array([[0, 0, 9, 9]] * 2, dtype=np.float32)
    found = PairTable(np.array([0, images - 1]), boxes, boxes, np.array([599, 599]))
    truth = PairTable(*(column[1:] for column in found))
    true, matched = match_annotations(truth, found, np.ones(2), images, 600)
    assert true.tolist() == [False, True] and matched.tolist() == [-1, 0]
