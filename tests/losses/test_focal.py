import torch
from torchvision.ops import sigmoid_focal_loss

from rmlr_lightning.losses.focal import FocalLoss, focal
from rmlr_lightning.types import Prediction


def prediction_of(logits):
    return Prediction(None, None, logits, logits, logits)


def test_focal_is_torchvisions():
    logits, labels = torch.randn(200) * 3, torch.rand(200) < 0.3
    for alpha, gamma in ((0.25, 2.0), (0.5, 0.2), (0.5, 0.0)):
        expected = sigmoid_focal_loss(logits, labels.float(), alpha, gamma, reduction="none")
        torch.testing.assert_close(
            focal(torch.nn.functional.logsigmoid(logits), labels, alpha, gamma),
            expected,
            atol=1e-5,
            rtol=1e-4,
        )


def test_a_certain_prior_changes_nothing_and_impossible_verbs_do_not_count():
    logits, labels = torch.randn(2, 3, 4), torch.rand(2, 3, 4) < 0.5
    prior = torch.zeros(2, 3, 4)
    prior[..., 3] = -torch.inf
    expected = (
        sigmoid_focal_loss(logits, labels.float(), 0.5, 0.2, reduction="none")[..., :3].sum()
        / labels[..., :3].sum()
    )
    torch.testing.assert_close(
        FocalLoss()(prediction_of(logits), labels, prior), expected, atol=1e-5, rtol=1e-4
    )


def test_probability_is_sigmoid_times_prior():
    logits, prior = torch.tensor([[[0.3]]]), torch.tensor([[[0.6]]]).log()
    p = torch.sigmoid(logits) * 0.6
    loss = FocalLoss(alpha=0.5, gamma=0.0)(
        prediction_of(logits), torch.zeros(1, 1, 1, dtype=torch.bool), prior
    )
    torch.testing.assert_close(loss, -0.5 * torch.log(1 - p).sum())


def test_no_positive_pair_and_extreme_logits_stay_finite():
    logits = torch.tensor([[[200.0, -200.0]]], requires_grad=True)
    for labels in (torch.zeros(1, 1, 2, dtype=torch.bool), torch.tensor([[[False, True]]])):
        loss = FocalLoss()(prediction_of(logits), labels, torch.zeros(1, 1, 2))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(loss) and torch.isfinite(gradient).all()


def test_a_batch_without_any_pair_costs_nothing():
    logits = torch.zeros(2, 1, 3, requires_grad=True)
    loss = FocalLoss()(
        prediction_of(logits),
        torch.zeros(2, 1, 3, dtype=torch.bool),
        torch.full((2, 1, 3), -torch.inf),
    )
    loss.backward()
    assert loss == 0 and logits.grad.abs().sum() == 0


def test_only_possible_verbs_are_looked_at_with_the_same_loss_and_gradients():
    logits, labels = torch.randn(2, 30, 9, requires_grad=True), torch.rand(2, 30, 9) < 0.3
    prior = torch.where(torch.rand(2, 30, 9) < 0.2, torch.rand(2, 30, 1).log(), -torch.inf)
    possible = prior > -torch.inf
    p, true = (torch.sigmoid(logits.double()) * prior.double().exp())[possible], labels[possible]
    each = torch.where(true, -((1 - p) ** 0.2) * p.log(), -(p**0.2) * torch.log1p(-p))
    expected = 0.5 * each.sum() / true.sum()
    (wanted,) = torch.autograd.grad(expected, logits)
    loss = FocalLoss()(prediction_of(logits), labels, prior)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(loss.double(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, wanted, atol=1e-6, rtol=1e-5)
    assert (gradient[~possible] == 0).all()
