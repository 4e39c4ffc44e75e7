"""From annotation rows to padded pairs."""

import pytest

from rmlr_lightning.data.truth import collate_truths, true_entities, truth_of
from rmlr_lightning.ops.spatial import pixel_encoding, spatial_encoding
from tests.scenes import target_of

HUMAN, OBJECT, OTHER = [0, 0, 80, 120], [80, 60, 160, 120], [0, 60, 80, 120]
NAN = [float("nan")] * 4


def test_rows_of_one_pair_become_one_row_with_all_verbs():
    target = target_of([HUMAN] * 3, [OBJECT, OTHER, OBJECT], [1, 1, 1], [3, 4, 0])
    truth = truth_of(target, target.size, 6)
    verbs = {
        tuple(box): set(row.nonzero()[:, 0].tolist())
        for box, row in zip(truth.boxes_o.tolist(), truth.verbs, strict=True)
    }
    assert verbs == {(0.5, 0.5, 1.0, 1.0): {0, 3}, (0.0, 0.5, 0.5, 1.0): {4}}
    assert truth.boxes_h.tolist() == [[0, 0, 0.5, 1]] * 2 and truth.mask.all()


def test_the_same_boxes_with_another_object_class_are_another_pair():
    target = target_of([HUMAN] * 2, [OBJECT] * 2, [1, 2], [3, 3])
    assert truth_of(target, target.size, 6).objects.tolist() == [1, 2]


def test_empty_roles_are_no_pairs():
    target = target_of([HUMAN] * 2, [NAN, OBJECT], [-1, 1], [2, 3])
    truth = truth_of(target, target.size, 6)
    assert truth.verbs.nonzero().tolist() == [[0, 3]]


def test_collating_pads_with_rows_that_are_not_real():
    two = target_of([HUMAN] * 2, [OBJECT, OTHER], [1, 1], [3, 4])
    none = target_of([], [], [], [])
    batch = collate_truths([truth_of(target, target.size, 6) for target in (two, none)])
    assert batch.boxes_h.shape == (2, 2, 4) and batch.verbs.shape == (2, 2, 6)
    assert batch.mask.tolist() == [[True, True], [False, False]]
    assert not batch.verbs[1].any()


def test_true_entities_are_each_box_once():
    target = target_of([HUMAN] * 2, [OBJECT] * 2, [1, 1], [3, 4])
    entities = true_entities(target, target.size)
    assert entities.labels.tolist() == [0, 1]
    assert entities.boxes.tolist() == [[0, 0, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert entities.mask.all() and (entities.scores == 1).all()


def test_people_without_an_object_are_true_entities():
    target = target_of([HUMAN], [NAN], [-1], [2])
    assert true_entities(target, target.size).labels.tolist() == [0]


@pytest.mark.fault
def test_true_boxes_as_detections_have_finite_features():
    """Boxes at the image's edge, a pixel outside, without area: real files have them."""
    edge, outside = [150.0, 0.0, 160.0, 120.0], [-2.0, -1.0, -0.5, 121.0]
    flat = [30.0, 40.0, 30.0, 90.0]
    inverted = [90.0, 9.0, 80.0, 20.0]
    humans, objects = [edge, outside, flat, inverted], [outside, flat, edge, edge]
    target = target_of(humans, objects, [1] * 4, [0] * 4)
    entities = true_entities(target, target.size)
    assert len(entities.labels) == 6  # the inverted box is no detection
    assert entities.boxes.min() >= 0 and entities.boxes.max() <= 1
    boxes = entities.boxes[None]
    humans, objects = boxes.repeat_interleave(len(boxes[0]), 1), boxes.repeat(1, len(boxes[0]), 1)
    for encode in (spatial_encoding, pixel_encoding):
        assert encode(humans, objects, target.size[None]).isfinite().all()
