"""What can be read from tokens by a linear classifier of verbs, asked on twins."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class Probe(NamedTuple):
    """A linear classifier of standardised tokens."""

    mean: Float[Tensor, "D"]
    deviation: Float[Tensor, "D"]
    weight: Float[Tensor, "D V"]
    bias: Float[Tensor, "V"]
    penalty: float

    def logits(self, tokens: Float[Tensor, "P D"]) -> Float[Tensor, "P V"]:
        """Of all verbs."""
        return (tokens - self.mean) / self.deviation @ self.weight + self.bias


class Interval(NamedTuple):
    """A mean with the middle 95 % of its bootstrap draws."""

    value: float
    low: float
    high: float


def fit(
    tokens: Float[Tensor, "P D"],
    verbs: Bool[Tensor, "P V"],
    penalty: float,
    steps: int = 60,
    start: Probe | None = None,
) -> Probe:
    """Logistic regression of each verb (binary cross-entropy, summed over verbs) by L-BFGS.

    Args:
        penalty: half of it times the squared weights is added; the problem is convex.
        start: weights to start from, such as those of a larger penalty.
    """
    mean, deviation = tokens.mean(0), tokens.std(0, unbiased=False).clamp_min(1e-6)
    x, y = (tokens - mean) / deviation, verbs.float()
    weight = torch.zeros(x.shape[1], y.shape[1]) if start is None else start.weight.clone()
    share = y.mean(0).clamp(1 / (2 * len(y)), 1 - 1 / (2 * len(y)))
    bias = share.logit() if start is None else start.bias.clone()
    weight.requires_grad_(), bias.requires_grad_()
    search = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        value = (
            F.binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="none").sum(1).mean()
        )
        value = value + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        search.step(loss)
    return Probe(mean, deviation, weight.detach(), bias.detach(), penalty)


def choose(
    train: tuple[Float[Tensor, "P D"], Bool[Tensor, "P V"]],
    val: tuple[Float[Tensor, "Q D"], Bool[Tensor, "Q V"]],
    penalties: Sequence[float] = PENALTIES,
) -> Probe:
    """The probe whose penalty gives the least cross-entropy on `val`, fitted on `train`."""
    best, least, probe = None, float("inf"), None
    for penalty in sorted(penalties, reverse=True):
        probe = fit(*train, penalty, start=probe)
        loss = float(F.binary_cross_entropy_with_logits(probe.logits(val[0]), val[1].float()))
        if loss < least:
            best, least = probe, loss
    if best is None:
        raise ValueError("no finite loss: are there tokens on both sides?")
    return best


def verdicts(
    logits: Float[Tensor, "S V"], own: Sequence[Sequence[int]], other: Sequence[Sequence[int]]
) -> Float[Tensor, "S"]:
    """For each side of a twin 1 where the best of its own verbs beats the best of the other side's, 1/2 for a tie.

    The question of `metrics.twins.TwinAccuracy`; whoever knows only boxes is right half of the time.
    """
    right = []
    for row, mine, theirs in zip(logits, own, other, strict=True):
        a, b = row[list(mine)].max(), row[list(theirs)].max()
        right.append(0.5 if a == b else float(a > b))
    return torch.tensor(right)


def interval(values: Float[Tensor, "C"], draws: int = 2000, seed: int = 0) -> Interval:
    """The mean over couples (one value each) and its bootstrap interval; NaN without any."""
    if not len(values):
        return Interval(*(float("nan"),) * 3)
    generator = torch.Generator().manual_seed(seed)
    means = values[torch.randint(len(values), (draws, len(values)), generator=generator)].mean(1)
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975])).tolist()
    return Interval(float(values.mean()), low, high)
