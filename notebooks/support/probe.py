"""Linear probes: a linear classifier of verbs on tokens, evaluated on twins."""

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
        """Logits of all verbs."""
        return (tokens - self.mean) / self.deviation @ self.weight + self.bias


class Interval(NamedTuple):
    """A mean with its 95 % bootstrap interval."""

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
        tokens, verbs: training pairs.
        penalty: half of it times the squared weights is added to the loss. The problem is convex.
        steps: iterations at most.
        start: initial weights, such as those of a larger penalty.
    """
    mean, deviation = tokens.mean(0), tokens.std(0, unbiased=False).clamp_min(1e-6)
    x, y = (tokens - mean) / deviation, verbs.float()

    if start is None:
        weight = torch.zeros(x.shape[1], y.shape[1])
        # the logit of each verb's frequency, kept finite for verbs that all or no pairs have
        frequency = y.mean(0).clamp(1 / (2 * len(y)), 1 - 1 / (2 * len(y)))
        bias = frequency.logit()
    else:
        weight, bias = start.weight.clone(), start.bias.clone()
    weight.requires_grad_()
    bias.requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = x @ weight + bias
        entropy = F.binary_cross_entropy_with_logits(logits, y, reduction="none").sum(1).mean()
        value = entropy + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return Probe(mean, deviation, weight.detach(), bias.detach(), penalty)


def fit_best(
    train: tuple[Float[Tensor, "P D"], Bool[Tensor, "P V"]],
    val: tuple[Float[Tensor, "Q D"], Bool[Tensor, "Q V"]],
    penalties: Sequence[float] = PENALTIES,
) -> Probe:
    """The probe with the lowest cross-entropy on `val` among the penalties, fitted on `train`."""
    best, lowest, probe = None, float("inf"), None
    for penalty in sorted(penalties, reverse=True):
        probe = fit(*train, penalty, start=probe)
        loss = float(F.binary_cross_entropy_with_logits(probe.logits(val[0]), val[1].float()))
        if loss < lowest:
            best, lowest = probe, loss
    if best is None:
        raise ValueError("no finite loss: are there tokens in both splits?")
    return best


def twin_accuracy(
    logits: Float[Tensor, "S V"], own: Sequence[Sequence[int]], other: Sequence[Sequence[int]]
) -> Float[Tensor, "S"]:
    """For each side of a twin: 1 if its best own verb beats the counterpart's, 1/2 for a tie.

    The definition of `metrics.twins.TwinAccuracy`. Boxes and object class alone give 1/2.
    """
    right = []
    for row, own_verbs, other_verbs in zip(logits, own, other, strict=True):
        best_own, best_other = row[list(own_verbs)].max(), row[list(other_verbs)].max()
        right.append(0.5 if best_own == best_other else float(best_own > best_other))
    return torch.tensor(right)


def interval(values: Float[Tensor, "C"], draws: int = 2000, seed: int = 0) -> Interval:
    """The mean over couples (one value each) and its bootstrap interval; NaN without couples."""
    if not len(values):
        return Interval(*(float("nan"),) * 3)
    generator = torch.Generator().manual_seed(seed)
    means = values[torch.randint(len(values), (draws, len(values)), generator=generator)].mean(1)
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975])).tolist()
    return Interval(float(values.mean()), low, high)
