"""Norms against gradients by hand, in a training that they must not change."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rmlr_lightning.callbacks.gradient_norms import GradientNorms
from rmlr_lightning.types import Prediction
from tests.callbacks.test_speed import Logger


class Weighted(nn.Module):
    """A term with known gradients: `weight` at each logit, and 2 weight token at each token."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, prediction, labels):
        return self.weight * (prediction.logits.sum() + prediction.ire_tokens.square().sum())


def step(module, weights):
    """One training step by hand: forward, terms, backward."""
    prediction = Prediction(None, None, 2 * weights, torch.ones(1, 3, 4), 3 * weights)
    loss = sum(loss(prediction, None) for loss in module.losses.values())
    loss.backward()


@pytest.mark.parametrize("every", [1, 2])
def test_a_norm_is_that_of_the_term_and_the_mean_over_measured_steps(every):
    losses = nn.ModuleDict({"a": Weighted(0.5), "b": Weighted(2.0)})
    module = SimpleNamespace(losses=losses)
    trainer = SimpleNamespace(loggers=[Logger()], is_global_zero=True, current_epoch=0)
    weights = torch.arange(12.0).reshape(1, 3, 4).requires_grad_()
    callback = GradientNorms(every_n_steps=every)
    callback.on_train_start(trainer, module)
    for trainer.global_step in range(2):
        callback.on_train_batch_start(trainer, module, None, trainer.global_step)
        step(module, weights)
    with_norms = weights.grad.clone()
    callback.on_train_epoch_end(trainer, module)
    ((_, values),) = trainer.loggers[0].logged

    tokens = 2 * torch.arange(12.0)
    for name, weight in (("a", 0.5), ("b", 2.0)):
        gradient = torch.cat([2 * weight * tokens, torch.full((12,), weight)])
        assert values[f"gradient/{name}"] == pytest.approx(float(gradient.norm()), rel=1e-6)

    # after teardown nothing is measured, and the gradient of the weights was the same with it
    callback.teardown(trainer, module, "fit")
    weights.grad = None
    for _ in range(2):
        step(module, weights)
    assert torch.equal(weights.grad, with_norms) and not callback._norms
