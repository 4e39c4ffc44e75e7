"""Norms against gradients by hand, in a training that they must not change."""

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger

from rmlr_lightning.callbacks import gradient_norms
from rmlr_lightning.callbacks.gradient_norms import GradientNorms
from tests.tasks.tiny_task import LOSSES, Gradients, fitted, random_batch, tiny_task

pytestmark = [
    # Lightning's advice
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*Found .* in eval mode"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
]


@pytest.fixture
def logged(monkeypatch) -> list[dict[str, float]]:
    """What the callback logs, one item per epoch."""
    found: list[dict[str, float]] = []
    monkeypatch.setattr(gradient_norms, "log_scalars", lambda _, values: found.append(values))
    return found


def norm_by_hand(task, batch, name) -> float:
    """Of the loss called alone, at the outputs of the trained stages."""
    with torch.no_grad():
        prediction = task.model(batch.inputs)
    outputs = [values.requires_grad_() for values in prediction[2:5]]
    term = task.losses[name](prediction, task.label(prediction, batch.truth))
    gradients = torch.autograd.grad(term, outputs, allow_unused=True)
    return float(torch.cat([g.flatten() for g in gradients if g is not None]).norm())


def test_each_loss_has_the_norm_of_its_own_gradient(logged, tmp_path):
    """Alignments are computed together in a step, but have a norm each."""
    batch, task = random_batch(6), tiny_task(lr=0.0)
    logger = CSVLogger(tmp_path)
    fitted(task, [batch], callbacks=[GradientNorms(every_n_steps=1)], logger=logger)
    (values,) = logged
    task.losses.eval()
    assert values.keys() == {f"gradient/{name}" for name in LOSSES}
    for name in LOSSES:
        expected = norm_by_hand(task, batch, name)
        assert values[f"gradient/{name}"] == pytest.approx(expected, rel=1e-4)
        assert expected > 0


def test_training_is_the_same_with_and_without(logged, tmp_path):
    batches = [random_batch(4, seed) for seed in range(3)]
    steps = []
    for callbacks in ([], [GradientNorms(every_n_steps=2)]):
        recorded = Gradients()
        fitted(tiny_task(), batches, callbacks=[*callbacks, recorded], logger=CSVLogger(tmp_path))
        steps.append(recorded.steps)
    for plain, measured in zip(*steps, strict=True):
        assert all(torch.equal(plain[name], measured[name]) for name in plain)
    assert len(logged) == 1
