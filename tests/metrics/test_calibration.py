"""ECE, Platt scaling and thresholds against slow definitions; the metric on any batches."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from rmlr_lightning.metrics.calibration import (
    MIN_THRESHOLD,
    Reliability,
    best_threshold,
    expected_calibration_error,
    fit_calibration,
)
from rmlr_lightning.ops.calibration import Calibration, probabilities
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("hold", "ride"), ((0, 1), (1, 1)), frozenset(), ("person", "bicycle"))


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are the square of the probability to be true."""
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0, 1, count)
    return probability**2, rng.uniform(0, 1, count) < probability


def test_the_calibration_error_is_the_definition_bin_by_bin():
    probability, true = drawn(1000)
    expected = 0.0
    for index in range(15):
        inside = (probability >= index / 15) & (probability < (index + 1) / 15)
        if inside.any():
            gap = abs(probability[inside].mean() - true[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(probability, true) == pytest.approx(expected)
    assert np.isnan(expected_calibration_error(probability[:0], true[:0]))
    # 1.0 belongs to the last bin
    assert expected_calibration_error(np.ones(4), np.array([1, 1, 1, 0], bool)) == 0.25


def test_the_fit_is_the_maximum_of_the_likelihood():
    scores, true = drawn(500)
    fitted = fit_calibration(scores, np.zeros(500, int), true, np.array([true.sum()]))
    count = true.sum()
    goal = np.where(true, (count + 1) / (count + 2), 1 / (500 - count + 2))

    def loss(weights):
        z = weights[0] * np.log(scores / (1 - scores)) + weights[1]
        return (np.logaddexp(0, z) - goal * z).sum()

    best = minimize(loss, [1.0, 0.0], tol=1e-10)
    np.testing.assert_allclose([fitted.slope, fitted.offset], best.x, rtol=1e-3)


def test_a_fit_on_one_half_corrects_the_other():
    scores, true = drawn(20000)
    fitted = fit_calibration(scores[::2], np.zeros(10000, int), true[::2], np.array([10000]))
    before = expected_calibration_error(scores[1::2], true[1::2])
    probability = probabilities(torch.from_numpy(scores[1::2]), fitted).numpy()
    after = expected_calibration_error(probability, true[1::2])
    assert before > 0.15 and after < 0.03


@pytest.mark.parametrize("true", [[True] * 5, [False] * 5, [True, True, False, False, False]])
def test_scores_that_separate_or_hold_one_kind_give_finite_values(true):
    scores = np.array([0.9, 0.8, 0.3, 0.2, 0.0])
    fitted = fit_calibration(scores, np.zeros(5, int), np.array(true), np.array([2]))
    assert np.isfinite([fitted.slope, fitted.offset]).all() and fitted.slope >= 0


def test_scores_that_rank_false_above_true_give_one_probability():
    scores, true = drawn(500)
    fitted = fit_calibration(scores, np.zeros(500, int), ~true, np.array([500]))
    assert fitted.slope == 0
    (value,) = set(probabilities(torch.tensor([0.1, 0.9]), fitted).tolist())
    assert value == pytest.approx((~true).mean(), abs=0.01)


def test_a_threshold_has_the_best_f1_of_all():
    scores, true = drawn(200)
    scores = scores.round(1)  # with ties
    positives = int(true.sum()) + 30

    def f1(threshold):
        kept = scores >= threshold
        return 2 * true[kept].sum() / (kept.sum() + positives)

    best = max(f1(value) for value in np.unique(scores))
    assert f1(best_threshold(scores, true, positives)) == best
    assert best_threshold(scores, np.zeros(200, bool), 5) == 1.0


def test_verbs_of_few_positives_share_one_threshold_and_none_is_below_the_least():
    scores, true = drawn(400)
    verbs = np.repeat([0, 1, 2, 3], 100)
    true[verbs == 0] = scores[verbs == 0] > 0.001
    thresholds = fit_calibration(scores, verbs, true, np.array([100, 3, 60, 2])).thresholds
    assert thresholds[1] == thresholds[3] != thresholds[2]
    assert thresholds[0] == MIN_THRESHOLD


def image(image_id: int, scores: list[float]) -> tuple[Detections, Target]:
    """Detections of one annotated pair: all with its boxes, so that the best one is right."""
    count = len(scores)
    box = torch.tensor([[0.0, 0, 10, 10]])
    found = Detections(
        box.expand(count, 4),
        box.expand(count, 4),
        torch.ones(count, dtype=torch.int64),
        torch.zeros(count, dtype=torch.int64),
        torch.tensor(scores),
    )
    one = torch.tensor([1])
    empty = torch.full((1, 4), float("nan"), dtype=torch.float64)
    boxes = torch.cat([box.double(), box.double()])
    # the second row is an empty role (V-COCO)
    target = Target(
        "a.jpg",
        image_id,
        torch.tensor([10, 10]),
        boxes,
        torch.cat([box.double(), empty]),
        torch.tensor([1, -1]),
        torch.tensor([0, 1]),
        torch.cat([one - 1, -one]),
    )
    return found, target


def test_the_metric_counts_one_true_positive_per_pair():
    metric = Reliability(VOCABULARY)
    found, target = image(3, [0.8, 0.6, 0.001])
    metric.update([found], [target])
    # of the rows from 0.01 on: one true of 0.8, one false of 0.6
    assert metric.compute()["ece_score"].item() == pytest.approx((0.2 + 0.6) / 2)
    # what a diagram is drawn from: detections, their scores, and the true ones; 15 bins
    filled = {i: row for i, row in enumerate(metric.bins["ece_score"]) if row[0]}
    assert filled == {9: [1, pytest.approx(0.6), 0], 12: [1, pytest.approx(0.8), 1]}


def test_the_metric_gives_the_same_on_any_batches_and_counts_an_image_once():
    images = [image(index, [0.9 - 0.1 * index, 0.5, 0.05]) for index in range(4)]
    whole, parts = Reliability(VOCABULARY, "val"), Reliability(VOCABULARY, "val")
    whole.update(*zip(*images, strict=True))
    for one in [*reversed(images), images[2]]:
        parts.update([one[0]], [one[1]])
    assert whole.compute() == parts.compute()
    assert whole.calibration == parts.calibration is not None


def test_test_uses_the_calibration_of_val():
    metric = Reliability(VOCABULARY, "test")
    metric.calibration = Calibration(1.0, 0.0, (0.5, 0.5))
    metric.update(*zip(image(0, [0.8, 0.6]), strict=True))
    values = metric.compute()
    assert values["ece"].item() == pytest.approx(values["ece_score"].item())


def test_without_detections_nothing_is_fitted():
    metric = Reliability(VOCABULARY, "val")
    metric.update(*zip(image(0, []), strict=True))
    assert metric.compute()["ece_score"].isnan() and metric.calibration is None
