import math

import pytest
import torch
from support.similarity import centred_cosine, debiased_cka, euclidean, linear_cka, strangers


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_common_part_does_not_make_tokens_alike():
    centre = 100 * torch.ones(3)
    a, b = centre + torch.tensor([[1.0, 0, 0]]), centre + torch.tensor([[0, 1.0, 0]])
    assert centred_cosine(a, b, centre).item() == pytest.approx(0, abs=1e-5)


def test_distance_is_that_of_pythagoras():
    assert euclidean(torch.zeros(1, 2), torch.tensor([[3.0, 4]])).item() == 5


@pytest.mark.parametrize("cka", [linear_cka, debiased_cka])
def test_cka_sees_through_turning_scaling_and_shifting(cka):
    a = noise(40, 6, seed=0)
    turn, _ = torch.linalg.qr(noise(6, 6, seed=1))
    assert cka(a, 3 * a @ turn + 7) == pytest.approx(1, abs=1e-5)


def test_cka_agrees_with_its_definition_by_kernels():
    a, b = noise(30, 5, seed=2), noise(30, 9, seed=3)
    centre = torch.eye(30) - 1 / 30
    k, m = (centre @ (x @ x.T) @ centre for x in (a, b))
    assert linear_cka(a, b) == pytest.approx(float((k * m).sum() / (k.norm() * m.norm())), abs=1e-5)


def test_debiasing_takes_away_what_width_alone_gives():
    draws = [(noise(50, 200, seed=2 * s), noise(50, 200, seed=2 * s + 1)) for s in range(10)]
    assert min(linear_cka(a, b) for a, b in draws) > 0.5
    assert abs(sum(debiased_cka(a, b) for a, b in draws) / 10) < 0.05


def test_debiased_cka_needs_four_rows():
    assert math.isnan(debiased_cka(noise(3, 2, seed=0), noise(3, 2, seed=1)))


def test_strangers_are_of_the_same_group_and_another_place():
    groups, places = [0, 0, 0, 1, 1, 2], [0, 0, 1, 2, 2, 3]
    drawn = strangers(groups, places).tolist()
    assert drawn[:2] == [2, 2] and drawn[2] in (0, 1)
    assert drawn[3:] == [-1, -1, -1]
