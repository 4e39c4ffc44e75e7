"""Probabilities keep the order of the scores, and a calibration survives as plain values."""

import json

import pytest
import torch

from rmlr_lightning.ops.calibration import (
    Calibration,
    likely,
    plain_calibration,
    probabilities,
    read_calibration,
)

CALIBRATION = Calibration(0.8, 1.25, (0.3, 0.9))
PLAIN = {"slope": 0.8, "offset": 1.25, "thresholds": [0.3, 0.9]}


def test_probabilities_are_a_logistic_function_of_the_log_odds():
    scores = torch.tensor([0.9, 0.5, 0.01])
    odds = (scores / (1 - scores)) ** 0.8 * torch.tensor(1.25).exp()
    torch.testing.assert_close(probabilities(scores, CALIBRATION).float(), odds / (1 + odds))


def test_probabilities_keep_the_order_down_to_the_smallest_scores():
    scores = torch.tensor([1.0, 0.5, 1e-9, 0.0])
    found = probabilities(scores, CALIBRATION)
    assert (found[:-1] >= found[1:]).all() and (0 <= found).all() and (found <= 1).all()


def test_the_probability_of_a_score_does_not_depend_on_its_place():
    scores = torch.rand(1001, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([probabilities(score[None], CALIBRATION) for score in scores])
    assert torch.equal(probabilities(scores, CALIBRATION), alone)


def test_what_is_likely_depends_on_the_verb():
    probability = torch.tensor([0.3, 0.8, 0.9], dtype=torch.float64)
    verbs = torch.tensor([0, 1, 1])
    assert likely(probability, verbs, CALIBRATION).tolist() == [True, False, True]


@pytest.mark.parametrize("calibration", [CALIBRATION, None])
def test_a_calibration_survives_as_json(calibration):
    plain = json.loads(json.dumps(plain_calibration(calibration)))
    assert read_calibration(plain, num_verbs=2) == calibration


@pytest.mark.fault
@pytest.mark.parametrize(
    ("plain", "match"),
    [
        ([], "other fields"),
        ({"slope": 1.0}, "other fields"),
        (PLAIN | {"thresholds": [0.5]}, "no list of 2 thresholds"),
        (PLAIN | {"thresholds": [0.5, "x"]}, "no finite numbers"),
        (PLAIN | {"offset": float("nan")}, "no finite numbers"),
        (PLAIN | {"slope": -1.0}, "reverse the order"),
    ],
)
def test_a_damaged_calibration_is_refused(plain, match):
    with pytest.raises(ValueError, match=match):
        read_calibration(plain, num_verbs=2)
