"""From the score that ranks detections to the probability that one is right.

The ranking score is no probability: it holds the detection scores to a power. Average precision
needs the order only, and reads the score; people read the probability.
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from scipy.special import expit
from torch import Tensor


class Calibration(NamedTuple):
    """Fitted on the validation split (`metrics.calibration`).

    Platt scaling (1999) on the log-odds of the score. It is increasing: the order stays.
    """

    slope: float  # at least 0
    offset: float
    thresholds: tuple[float, ...]  # by verb: the probability from which a detection is likely


def log_odds(scores: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
    """log(s / (1 - s)) in float64; scores of 0 and 1 count as 1e-12 from there."""
    return scores.double().logit(eps=1e-12)


def probabilities(scores: Float[Tensor, " K"], calibration: Calibration) -> Float[Tensor, " K"]:
    """The probability that each detection is a true positive, float64 in [0, 1]."""
    x = calibration.slope * log_odds(scores) + calibration.offset
    # scipy's: the last bit of torch.sigmoid depends on the place of a value in its tensor
    return torch.from_numpy(expit(x.numpy()))


def likely(
    probability: Float[Tensor, " K"], verbs: Int[Tensor, " K"], calibration: Calibration
) -> Bool[Tensor, " K"]:
    """True where the probability reaches the threshold of the detection's verb."""
    return probability >= torch.tensor(calibration.thresholds, dtype=torch.float64)[verbs]


def plain_calibration(calibration: Calibration | None) -> dict[str, Any] | None:
    """As plain values, to be kept in a checkpoint or in JSON."""
    if calibration is None:
        return None
    return calibration._asdict() | {"thresholds": list(calibration.thresholds)}


def read_calibration(plain: Any, num_verbs: int) -> Calibration | None:
    """The reverse of `plain_calibration`.

    Raises:
        ValueError: it is not what that returns for so many verbs.
    """
    if plain is None:
        return None
    if not isinstance(plain, dict) or plain.keys() != set(Calibration._fields):
        raise ValueError("the calibration has other fields")
    thresholds = plain["thresholds"]
    if not isinstance(thresholds, list) or len(thresholds) != num_verbs:
        raise ValueError(f"the calibration has no list of {num_verbs} thresholds")
    numbers = [plain["slope"], plain["offset"], *thresholds]
    if not all(isinstance(number, float) and math.isfinite(number) for number in numbers):
        raise ValueError("the calibration has values that are no finite numbers")
    if plain["slope"] < 0:
        raise ValueError("the calibration would reverse the order of the scores")
    return Calibration(plain["slope"], plain["offset"], tuple(thresholds))
