"""Similarity of two sets of tokens: row by row (cosine, distance) and as a whole (CKA)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def centred_cosine(
    a: Float[Tensor, "P D"], b: Float[Tensor, "P D"], centre: Float[Tensor, "D"]
) -> Float[Tensor, "P"]:
    """Cosine of each row of `a` with the same row of `b`, after `centre` is subtracted.

    Decoder states share a large constant part: without centring any two of them are similar.
    """
    return F.cosine_similarity(a - centre, b - centre, dim=1)


def euclidean(a: Float[Tensor, "P D"], b: Float[Tensor, "P D"]) -> Float[Tensor, "P"]:
    """Distance of each row of `a` to the same row of `b`."""
    return (a - b).norm(dim=1)


def linear_cka(a: Float[Tensor, "P D"], b: Float[Tensor, "P E"]) -> float:
    """Centred kernel alignment with linear kernels (Kornblith et al., arXiv 1905.00414), in [0, 1].

    It is 1 if one set is a rotation, scaling and shift of the other. With few rows and many
    columns it is far above 0 even for unrelated sets: see `debiased_cka`.
    """
    a, b = (tokens.double() - tokens.double().mean(0) for tokens in (a, b))
    cross = (a.T @ b).square().sum()
    own_a, own_b = (a.T @ a).square().sum(), (b.T @ b).square().sum()
    return float(cross / (own_a * own_b).sqrt())


def debiased_cka(a: Float[Tensor, "P D"], b: Float[Tensor, "P E"]) -> float:
    """CKA from the unbiased estimator of HSIC (Song et al. 2012).

    Near 0 for unrelated sets, whatever their width. NaN with fewer than 4 rows, or if an estimate
    of a set with itself is not positive.
    """
    if len(a) < 4:
        return float("nan")
    kernel_a, kernel_b = (_kernel(tokens.double() - tokens.double().mean(0)) for tokens in (a, b))
    own_a, own_b = _hsic(kernel_a, kernel_a), _hsic(kernel_b, kernel_b)
    if own_a <= 0 or own_b <= 0:
        return float("nan")
    return float(_hsic(kernel_a, kernel_b) / (own_a * own_b).sqrt())


def _kernel(tokens: Float[Tensor, "P D"]) -> Float[Tensor, "P P"]:
    """Products of all rows; the estimator wants zeros on the diagonal."""
    return (tokens @ tokens.T).fill_diagonal_(0)


def _hsic(k: Float[Tensor, "P P"], m: Float[Tensor, "P P"]) -> Float[Tensor, ""]:
    n = len(k)
    rows = k.sum(0) @ m.sum(0)
    total = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)
    return total / (n * (n - 3))


def strangers(groups: Sequence[int], places: Sequence[int], seed: int = 0) -> Int[Tensor, "P"]:
    """For each row a random row of the same group and another place; -1 if there is none."""
    generator = torch.Generator().manual_seed(seed)
    group, place = torch.tensor(groups), torch.tensor(places)
    drawn = torch.full((len(group),), -1)
    for row in range(len(group)):
        others = torch.nonzero((group == group[row]) & (place != place[row])).flatten()
        if len(others):
            drawn[row] = others[torch.randint(len(others), (1,), generator=generator)]
    return drawn
