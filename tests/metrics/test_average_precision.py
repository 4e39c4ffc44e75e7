"""The areas under a curve, against sums over their definition."""

import numpy as np
import pytest

from rmlr_lightning.metrics.average_precision import (
    all_points,
    eleven_points,
    may_precede_true,
    ranking,
)


def curve(found: int, of: int) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision where every second detection is right at first, then every third."""
    true = np.arange(1, found + 1)
    ranked = 2 * true + np.maximum(true - found // 2, 0)
    return true / of, true / ranked


@pytest.mark.parametrize(("found", "of"), [(1, 1), (1, 3), (7, 20), (19, 20), (20, 20), (4, 10)])
def test_eleven_points_are_the_best_precisions_from_eleven_recalls_on(found, of):
    recall, precision = curve(found, of)
    # MATLAB counts a range from both of its ends: its third level is above 0.3
    levels = [step * 0.1 if step <= 5 else 1 - (10 - step) * 0.1 for step in range(11)]
    best = [max(precision[recall >= level], default=0) for level in levels]
    assert eleven_points(recall, precision) == pytest.approx(sum(best) / 11, abs=1e-12)


@pytest.mark.parametrize(("found", "of"), [(1, 1), (1, 3), (7, 20), (20, 20)])
def test_all_points_are_the_best_precisions_at_every_true_positive(found, of):
    recall, precision = curve(found, of)
    area = sum(precision[place:].max() for place in range(found)) / of
    assert all_points(recall, precision) == pytest.approx(area, abs=1e-12)


def test_areas_of_several_curves_are_those_of_each():
    recall, precision = curve(6, 10)
    both = np.stack([precision, precision[::-1]], 1), np.stack([recall, recall], 1)
    for area in (eleven_points, all_points):
        alone = [area(recall, precision), area(recall, precision[::-1])]
        assert area(both[1], both[0]).tolist() == pytest.approx(alone)


def test_only_rows_that_score_as_high_as_a_true_positive_matter():
    classes, true = np.array([0, 0, 0, 1, 1]), np.array([False, True, False, False, False])
    for highest in (0.9, np.inf):  # class 1 has no true positive, whatever its scores
        scores = np.array([0.5, 0.4, 0.3, highest, 0.1])
        assert may_precede_true(classes, scores, true, 2).tolist() == [0, 1]


@pytest.mark.parametrize(
    "scores",
    [
        [0.5, 0.25, 0.5, 1.0],
        [0.0, -0.0, 1e-9, 2e-9],  # equal, and as good as equal beside 1
        [0.0, -1.0, -0.5, -2.0],
        [-np.inf, np.inf, 0.0, -1e-30],
        [-3.0, -1.0, -2.0, -1.0],
        [0.1, 0.1 + 1e-12, 0.1, 0.2],  # float32 cannot tell the first two apart
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ranking_is_by_class_then_score_then_row(scores, dtype):
    """Scores may be logits: negative, too."""
    scores = np.array(scores * 2, dtype=dtype)
    for classes in ([1, 1, 0, 1, 0, 1, 1, 1], [599, 0, 0, 0, 2**30, 2**30, 0, 599]):
        rows = sorted(range(8), key=lambda row: (classes[row], -scores[row], row))
        assert ranking(np.array(classes), scores).tolist() == rows
