import pytest
import torch

from rmlr_lightning.models.dropout import Dropout


def kept(p, shape=(1000, 1000)):
    return Dropout(p)(torch.ones(shape))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_so_many_are_dropped_and_the_mean_stays(p):
    seen = kept(p)
    assert abs((seen == 0).float().mean() - p) < 5 * (p * (1 - p) / seen.numel()) ** 0.5 + 2**-16
    torch.testing.assert_close(seen.unique(), torch.tensor([0, 1 / (1 - p)]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        seen.mean(), torch.tensor(1.0), atol=5 * (p / (1 - p)) ** 0.5 / 1000, rtol=0
    )


def test_elements_of_one_draw_are_independent():
    zero = (kept(0.3, (250_000, 4)) == 0).double()
    assert (torch.corrcoef(zero.T) - torch.eye(4)).abs().max() < 0.01  # 5 standard errors


def test_gradients_pass_where_values_do():
    values = torch.randn(7, 5, 3, requires_grad=True)  # 105 elements, no multiple of four
    out = Dropout(0.4)(values)
    (gradient,) = torch.autograd.grad(out.sum(), values)
    torch.testing.assert_close(out, values * gradient)
    assert (gradient == 0).any() and (gradient > 0).any()


def test_masks_follow_the_seed():
    torch.manual_seed(3)
    first, second = kept(0.5, (64,)), kept(0.5, (64,))
    torch.manual_seed(3)
    assert torch.equal(kept(0.5, (64,)), first) and not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_precision_stays(dtype):
    assert Dropout(0.5)(torch.ones(8, dtype=dtype)).dtype == dtype


def test_nothing_is_dropped_in_evaluation_or_with_p_0_and_all_with_p_1():
    values = torch.randn(6)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)
    assert torch.equal(Dropout(1.0)(values), torch.zeros(6))
    assert Dropout(0.5)(torch.ones(0, 3)).shape == (0, 3)
