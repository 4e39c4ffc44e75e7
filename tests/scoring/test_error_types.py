"""One error of each type, and the lines of a breakdown."""

import numpy as np
import pytest

from rmlr_lightning.metrics.hicodet import PairTable, match_annotations
from rmlr_lightning.scoring.breakdown import (
    by_groups,
    by_measure,
    by_pairs_in_image,
    hoi_groups,
    measures,
)
from rmlr_lightning.scoring.error_types import TYPES, diagnose
from rmlr_lightning.scoring.matched import matched_hicodet
from tests.metrics import tiny_worlds as worlds

HUMAN, OTHER_HUMAN = (0, 0, 10, 10), (50, 0, 60, 10)
OBJECT, OTHER_OBJECT = (5, 5, 15, 15), (55, 5, 65, 15)
NOWHERE = (200, 200, 210, 210)
OBJECTS = np.array([obj for _, obj in worlds.VOCABULARY.hois])


def table(rows):
    """Rows (image, human, object, hoi)."""
    columns = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
    boxes = [np.array(column, dtype=np.float32).reshape(-1, 4) for column in columns[1:3]]
    return PairTable(
        np.array(columns[0], dtype=np.int64), *boxes, np.array(columns[3], dtype=np.int64)
    )


def diagnosed(truths, found):
    """Rows of detections have a score too."""
    found = sorted(found, key=lambda row: row[0])
    truth, rows = table(truths), table([row[:4] for row in found])
    scores = np.array([row[4] for row in found], dtype=np.float32)
    matched = matched_hicodet(truth, rows, scores, 9, worlds.VOCABULARY)["default"]
    _, annotation = match_annotations(truth, rows, scores, 9, 5)
    return diagnose(matched, truth, rows, annotation, OBJECTS)


FOUND = (8, HUMAN, OBJECT, 0)  # a pair that is always found, at the end of the ranking


@pytest.mark.parametrize(
    "name, truths, found, positives, missed",
    [
        ("wrong_verb", [(0, HUMAN, OBJECT, 1)], [(0, HUMAN, OBJECT, 0, 0.9)], 1, 1),
        (
            "pairing",
            [(0, HUMAN, OBJECT, 0), (0, OTHER_HUMAN, OTHER_OBJECT, 0)],
            [(0, HUMAN, OTHER_OBJECT, 0, 0.9), (0, OTHER_HUMAN, OBJECT, 0, 0.9)],
            2,
            2,
        ),
        ("missed_object", [(0, HUMAN, OBJECT, 0)], [(0, HUMAN, NOWHERE, 0, 0.9)], 1, 1),
        ("missed_human", [(0, HUMAN, OBJECT, 0)], [(0, NOWHERE, OBJECT, 0, 0.9)], 1, 1),
        ("missed_human", [(0, HUMAN, OBJECT, 0)], [], 0, 1),
        ("missed_human", [], [(0, HUMAN, OBJECT, 0, 0.9)], 1, 0),
    ],
)
def test_one_error_of_each_type(name, truths, found, positives, missed):
    costs = diagnosed([FOUND, *truths], [(*FOUND, 0.1), *found])
    assert list(costs) == list(TYPES)
    for other, cost in costs.items():
        if other == name:
            assert (cost.false_positives, cost.missed) == (positives, missed)
            assert cost.cost > 0
        else:
            assert (cost.false_positives, cost.missed) == (0, 0) and cost.cost == pytest.approx(0)


def test_a_duplicate_before_the_next_true_positive_costs():
    truths = [FOUND, (7, HUMAN, OBJECT, 0)]
    costs = diagnosed(truths, [(*FOUND, 0.9), (*FOUND, 0.8), (7, HUMAN, OBJECT, 0, 0.7)])
    assert costs["duplicate"].false_positives == 1
    ap = (6 * 1 + 5 * 2 / 3) / 11  # recall 0 to .5 at precision 1, above at 2 of 3
    assert costs["duplicate"].cost == pytest.approx((1 - ap) / 5)


def test_correct_detections_cost_0_and_no_detections_cost_all():
    assert all(cost == (0, 0, 0) for cost in diagnosed([FOUND], [(*FOUND, 0.5)]).values())
    costs = diagnosed([FOUND, (0, HUMAN, OBJECT, 3)], [])
    assert costs["missed_human"] == (0, 2, pytest.approx(2 / 5))


def test_breakdown_counts_every_annotation_once():
    world = worlds.random_world(5, 30)
    truth = table([(i, t[1], t[2], t[0]) for i, image in enumerate(world) for t in image[0]])
    rows = [
        (i, r)
        for i, image in enumerate(world)
        for r in image[1]
        if (r[0], r[1]) in worlds.VOCABULARY.hoi_of
    ]
    found = table([(i, r[2], r[3], worlds.VOCABULARY.hoi_of[r[:2]]) for i, r in rows])
    scores = np.array([r[4] for _, r in rows], dtype=np.float32)
    matched = matched_hicodet(truth, found, scores, 30, worlds.VOCABULARY)["default"]
    _, annotation = match_annotations(truth, found, scores, 30, 5)
    total = len(truth.hois)
    for groups in hoi_groups(worlds.VOCABULARY).values():
        assert sum(line.positives for line in by_groups(matched, groups)) == total
    parts = [by_pairs_in_image(matched, np.bincount(truth.images, minlength=30))]
    of_rows = measures(found)
    parts += [
        by_measure(matched, part, of_rows[name][0], annotation, names)
        for name, (part, names) in measures(truth).items()
    ]
    for lines in parts:
        assert sum(line.positives for line in lines) == total
        assert sum(line.detections for line in lines) == len(scores)
        assert all(0 <= line.ap <= 1 or np.isnan(line.ap) for line in lines)
    rare = {
        line.name: line.ap for line in by_groups(matched, hoi_groups(worlds.VOCABULARY)["rarity"])
    }
    assert rare["rare"] == pytest.approx((matched.ap()[1] + matched.ap()[4]) / 2)
