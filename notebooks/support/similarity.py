"""How alike two sets of tokens are, row by row (cosine, distance) and as a whole (CKA)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def centred_cosine(
    a: Float[Tensor, "P D"], b: Float[Tensor, "P D"], centre: Float[Tensor, "D"]
) -> Float[Tensor, "P"]:
    """Cosine of each row of `a` with the same row of `b`, both seen from `centre`.

    Decoder states share a large constant part; without the centre any two of them look alike.
    """
    return F.cosine_similarity(a - centre, b - centre, dim=1)


def euclidean(a: Float[Tensor, "P D"], b: Float[Tensor, "P D"]) -> Float[Tensor, "P"]:
    """Distance of each row of `a` to the same row of `b`."""
    return (a - b).norm(dim=1)


def linear_cka(a: Float[Tensor, "P D"], b: Float[Tensor, "P E"]) -> float:
    """Centred kernel alignment with linear kernels (Kornblith et al., arXiv 1905.00414), in [0, 1].

    1 where one side is the other, turned, scaled and shifted. With few rows and many columns it is far above 0 even
    for unrelated sides: see `debiased_cka`.
    """
    a, b = (side.double() - side.double().mean(0) for side in (a, b))
    cross, own_a, own_b = ((x.T @ y).square().sum() for x, y in ((a, b), (a, a), (b, b)))
    return float(cross / (own_a * own_b).sqrt())


def debiased_cka(a: Float[Tensor, "P D"], b: Float[Tensor, "P E"]) -> float:
    """CKA from the unbiased estimator of HSIC (Song et al. 2012): near 0 for unrelated sides whatever their width.

    NaN with fewer than 4 rows, or where an estimate of a side with itself is not positive.
    """
    if len(a) < 4:
        return float("nan")
    kernels = [_hollow(side.double() - side.double().mean(0)) for side in (a, b)]
    cross, own_a, own_b = (_hsic(kernels[i], kernels[j]) for i, j in ((0, 1), (0, 0), (1, 1)))
    return float(cross / (own_a * own_b).sqrt()) if own_a > 0 and own_b > 0 else float("nan")


def _hollow(side: Float[Tensor, "P D"]) -> Float[Tensor, "P P"]:
    return (side @ side.T).fill_diagonal_(0)


def _hsic(k: Float[Tensor, "P P"], m: Float[Tensor, "P P"]) -> Tensor:
    n = len(k)
    rows = k.sum(0) @ m.sum(0)
    total = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)
    return total / (n * (n - 3))


def strangers(groups: Sequence[int], places: Sequence[int], seed: int = 0) -> Int[Tensor, "P"]:
    """For each row another row of its group and from another place, drawn at random; -1 where there is none."""
    generator = torch.Generator().manual_seed(seed)
    group, place = torch.tensor(groups), torch.tensor(places)
    drawn = torch.full((len(group),), -1)
    for row in range(len(group)):
        others = torch.nonzero((group == group[row]) & (place != place[row])).flatten()
        if len(others):
            drawn[row] = others[torch.randint(len(others), (1,), generator=generator)]
    return drawn
