"""The focal loss, against torchvision's and against its formula."""

import math

import torch
from torchvision.ops import sigmoid_focal_loss

from rmlr_lightning.losses.focal import FocalLoss, focal
from rmlr_lightning.types import Labels, Prediction


def prediction_of(logits):
    return Prediction(None, None, logits, logits, logits)


def labels_of(verbs, log_prior):
    return Labels(verbs, log_prior > -torch.inf, log_prior, None)


def test_focal_is_torchvisions():
    # in float64: in float32 the two round differently where a probability is almost 1
    logits, verbs = torch.randn(200).double() * 3, torch.rand(200) < 0.3
    for alpha, gamma in ((0.25, 2.0), (0.5, 0.2), (0.5, 0.0)):
        expected = sigmoid_focal_loss(logits, verbs.double(), alpha, gamma, reduction="none")
        actual = focal(torch.nn.functional.logsigmoid(logits), verbs, alpha, gamma)
        torch.testing.assert_close(actual, expected)


def test_a_prior_of_one_changes_nothing_and_invalid_verbs_do_not_count():
    logits, verbs = torch.randn(2, 3, 4), torch.rand(2, 3, 4) < 0.5
    log_prior = torch.zeros(2, 3, 4)
    log_prior[..., 3] = -torch.inf
    losses = sigmoid_focal_loss(logits, verbs.float(), 0.5, 0.2, reduction="none")
    expected = losses[..., :3].sum() / verbs[..., :3].sum()
    actual = FocalLoss()(prediction_of(logits), labels_of(verbs, log_prior))
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


def test_probability_is_sigmoid_times_prior():
    logits, log_prior = torch.tensor([[[0.3]]]), torch.tensor([[[0.6]]]).log()
    p = torch.sigmoid(logits) * 0.6
    verbs = torch.zeros(1, 1, 1, dtype=torch.bool)
    loss = FocalLoss(alpha=0.5, gamma=0.0)(prediction_of(logits), labels_of(verbs, log_prior))
    torch.testing.assert_close(loss, -0.5 * torch.log(1 - p).sum())


def test_no_positive_pair_and_extreme_logits_stay_finite():
    logits = torch.tensor([[[200.0, -200.0]]], requires_grad=True)
    for verbs in (torch.zeros(1, 1, 2, dtype=torch.bool), torch.tensor([[[False, True]]])):
        loss = FocalLoss()(prediction_of(logits), labels_of(verbs, torch.zeros(1, 1, 2)))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(loss) and torch.isfinite(gradient).all()


def test_a_batch_without_any_pair_has_loss_and_gradient_zero():
    logits = torch.zeros(2, 1, 3, requires_grad=True)
    labels = labels_of(torch.zeros(2, 1, 3, dtype=torch.bool), torch.full((2, 1, 3), -torch.inf))
    loss = FocalLoss()(prediction_of(logits), labels)
    loss.backward()
    assert loss == 0 and logits.grad.abs().sum() == 0


def test_loss_and_gradients_are_those_of_the_formula_over_valid_verbs():
    logits, verbs = torch.randn(2, 30, 9, requires_grad=True), torch.rand(2, 30, 9) < 0.3
    log_prior = torch.where(torch.rand(2, 30, 9) < 0.2, torch.rand(2, 30, 1).log(), -torch.inf)
    valid = log_prior > -torch.inf
    p = (torch.sigmoid(logits.double()) * log_prior.double().exp())[valid]
    true = verbs[valid]
    losses = torch.where(true, -((1 - p) ** 0.2) * p.log(), -(p**0.2) * torch.log1p(-p))
    expected = 0.5 * losses.sum() / true.sum()
    (expected_gradient,) = torch.autograd.grad(expected, logits)

    loss = FocalLoss()(prediction_of(logits), labels_of(verbs, log_prior))
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(loss.double(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, atol=1e-6, rtol=1e-5)
    assert (gradient[~valid] == 0).all()


def test_probabilities_are_kept_off_zero_and_one():
    log_p = torch.tensor([-40.0, 0.0], dtype=torch.float64)
    losses = focal(log_p, torch.zeros(2, dtype=torch.bool), 0.5, 1.0)
    low, high = 1e-8, 1 - 1e-7
    expected = [-0.5 * p * math.log1p(-p) for p in (low, high)]
    torch.testing.assert_close(
        losses, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=0
    )


def test_defaults_are_those_of_upt():
    loss = FocalLoss()
    assert (loss.weight, loss.alpha, loss.gamma) == (1.0, 0.5, 0.2)
