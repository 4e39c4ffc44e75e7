import pytest
import torch
from support.probe import fit, fit_best, interval, twin_accuracy


def sample(count: int, seed: int, noise: float = 0.1):
    """Tokens whose first two columns encode one verb each; the other columns are noise."""
    generator = torch.Generator().manual_seed(seed)
    verbs = torch.rand(count, 2, generator=generator) < 0.5
    tokens = torch.randn(count, 6, generator=generator)
    tokens[:, :2] = verbs.float() + noise * tokens[:, :2]
    return tokens, verbs


def test_encoded_verbs_are_classified():
    probe = fit_best(sample(300, 0), sample(100, 1))
    tokens, verbs = sample(200, 2)
    assert ((probe.logits(tokens) > 0) == verbs).float().mean() > 0.98


def test_the_fit_is_a_stationary_point():
    tokens, verbs = sample(200, 0, noise=1.0)
    probe = fit(tokens, verbs, penalty=0.1, steps=200)
    x = (tokens - probe.mean) / probe.deviation
    wrong = probe.logits(tokens).sigmoid() - verbs.float()
    assert (x.T @ wrong / len(x) + 0.1 * probe.weight).abs().max() < 1e-3
    assert wrong.mean(0).abs().max() < 1e-3


def test_a_constant_column_does_no_harm():
    tokens, verbs = sample(100, 0)
    tokens[:, 5] = 3.0
    assert fit(tokens, verbs, penalty=0.01).weight.isfinite().all()


def test_validation_prefers_a_strong_penalty_on_noise():
    generator = torch.Generator().manual_seed(0)
    train, val = (
        (torch.randn(60, 40, generator=generator), torch.rand(60, 3, generator=generator) < 0.5)
        for _ in "ab"
    )
    assert fit_best(train, val, penalties=(1e-4, 1.0)).penalty == 1.0


def test_the_best_verb_of_a_side_decides_and_ties_count_half():
    logits = torch.tensor([[0.0, 2.0, 1.0], [0.0, 2.0, 3.0], [1.0, 1.0, 0.0]])
    assert twin_accuracy(logits, [(0, 1), (0, 1), (0,)], [(2,), (2,), (1,)]).tolist() == [
        1.0,
        0.0,
        0.5,
    ]


def test_the_interval_of_equal_values_is_a_point():
    assert interval(torch.full((20,), 0.7)) == pytest.approx((0.7, 0.7, 0.7))


def test_the_interval_has_the_width_of_the_standard_error():
    values = (torch.arange(400) % 2).float()
    found = interval(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)


def test_no_couples_no_figure():
    assert all(torch.tensor(interval(torch.zeros(0))).isnan())
