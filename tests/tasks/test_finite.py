"""Losses and gradients that are not finite are found in their step, and reach no weight."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from torch import nn

from rmlr_lightning.callbacks.moving_average import MovingAverage
from rmlr_lightning.errors import SharedError, UserError
from rmlr_lightning.losses.focal import FocalLoss
from rmlr_lightning.tasks.finite import FiniteSteps
from rmlr_lightning.tasks.step import loss_terms
from rmlr_lightning.types import Batch
from tests.tasks.tiny_task import LOSSES, VOCABULARY, divided, fitted, random_batch, tiny_task

pytestmark = [
    pytest.mark.fault,
    # Lightning's advice
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*Found .* in eval mode"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:.*not supported by the model summary"),
]


class Steep(nn.Module):
    """Its value is 0, its gradient NaN."""

    def forward(self, prediction, labels):
        return (0 * prediction.irm_tokens).sum().sqrt()


def with_nan(batch: Batch, image: int) -> Batch:
    """A NaN in the features of one image."""
    scene = batch.inputs.scene
    memory = scene.memory.clone()
    memory[image, 3, 2, 1] = torch.nan
    return batch._replace(inputs=batch.inputs._replace(scene=scene._replace(memory=memory)))


def weights_of(task) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in task.parameters() if weight.requires_grad]


def assert_same(found, expected):
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("accumulated", [1, 3])
def test_the_step_the_term_and_the_image_are_named(accumulated):
    good, bad = random_batch(3, seed=1), with_nan(random_batch(3, seed=2), 1)
    task = tiny_task({"interaction": FocalLoss()})
    batches = [good] * 3 + [bad] + [good] * 2
    with pytest.raises(SharedError) as caught:
        fitted(task, batches, accumulate_grad_batches=accumulated)
    line = str(caught.value)
    assert f"in epoch 0, step {3 // accumulated}: loss term interaction is not finite" in line
    assert "outputs are not finite for image ids 101;" in line and "\n" not in line
    assert "not_finite=skip" in line


def test_a_term_of_infinite_weight_is_named():
    task = tiny_task({**LOSSES, "word_ire": partial(LOSSES["word_ire"], weight=torch.inf)})
    before = weights_of(task)
    with pytest.raises(SharedError, match="step 0: loss term word_ire is not finite; image"):
        fitted(task, [random_batch(3)])
    assert_same(weights_of(task), before)


def test_a_gradient_is_named_by_its_term_though_the_value_is_finite():
    task = tiny_task({"interaction": FocalLoss(), "steep": Steep()})
    before = weights_of(task)
    with pytest.raises(SharedError, match="the gradient of loss term steep is not finite"):
        fitted(task, [random_batch(3)])
    assert_same(weights_of(task), before)


class States(Callback):
    """Weights and optimiser states after each step."""

    def __init__(self) -> None:
        self.seen: list[list[torch.Tensor]] = []

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        states = trainer.optimizers[0].state_dict()["state"].values()
        values = [value.clone() for state in states for value in state.values()]
        self.seen.append(weights_of(pl_module) + values)


def test_a_step_that_is_skipped_changes_nothing(capsys):
    good, bad = random_batch(3, seed=1), with_nan(random_batch(3, seed=2), 1)
    task, states = tiny_task(not_finite="skip"), States()
    average = MovingAverage(0.5)
    fitted(task, [good, bad, good], callbacks=[states, average], gradient_clip_val=0.1)
    first, second, third = states.seen
    assert_same(second, first)
    assert not torch.equal(third[0], first[0])
    assert all(value.isfinite().all() for value in third + weights_of(task))
    assert "note: epoch 0, step 1 left out: loss terms" in capsys.readouterr().out


def test_only_so_many_steps_are_skipped(capsys):
    bad = with_nan(random_batch(2), 0)
    task = tiny_task({"interaction": FocalLoss()}, not_finite="skip", max_skipped=2)
    with pytest.raises(SharedError, match=r"step 2: .*; 2 such steps were left out before"):
        fitted(task, [bad] * 4)
    assert capsys.readouterr().out.count("left out") == 2


def test_weights_that_overflow_end_the_training_before_a_checkpoint():
    task = tiny_task({"interaction": FocalLoss()}, lr=1e38)
    with pytest.raises(SharedError, match=r"weights are not finite; lower optim\.lr"):
        fitted(task, [random_batch(2)])


@pytest.mark.parametrize("options", [{"policy": "go on"}, {"max_skipped": -1}])
def test_other_policies_are_refused(options):
    with pytest.raises(UserError, match=r"task\.module\.(not_finite|max_skipped)="):
        FiniteSteps(**options)


def extreme(name: str) -> Batch:
    """A batch at a limit of what can occur."""
    batch = random_batch(1 if name == "one image" else 3, seed=4)
    scene, truth = batch.inputs.scene, batch.truth
    entities = scene.entities
    boxes, scores = entities.boxes, entities.scores
    point = boxes[..., :2].repeat(1, 1, 2)
    pixel = torch.tensor([0, 0, 1 / 160, 1 / 120])
    entities = {
        "no pair": entities._replace(labels=entities.labels.clamp_min(1)),
        "no entity": entities._replace(mask=torch.zeros_like(entities.mask)),
        "boxes without area": entities._replace(boxes=point),
        "boxes of one pixel": entities._replace(boxes=point + pixel),
        "all boxes equal": entities._replace(boxes=torch.tensor([0.0, 0, 1, 1]).expand_as(boxes)),
        "inverted boxes": entities._replace(boxes=boxes[..., [2, 3, 0, 1]]),
        "scores of 0": entities._replace(scores=torch.zeros_like(scores)),
        "scores of 1": entities._replace(scores=torch.ones_like(scores)),
    }.get(name, entities)
    if name == "no positive":
        truth = truth._replace(mask=torch.zeros_like(truth.mask))
    inputs = batch.inputs._replace(scene=scene._replace(entities=entities))
    return batch._replace(inputs=inputs, truth=truth)


@pytest.mark.parametrize(
    "name",
    [
        "no pair",
        "no entity",
        "no positive",
        "one image",
        "boxes without area",
        "boxes of one pixel",
        "all boxes equal",
        "inverted boxes",
        "scores of 0",
        "scores of 1",
    ],
)
def test_loss_and_gradient_are_finite_for(name):
    task = tiny_task()
    loss = task.training_step(extreme(name), 0)
    loss.backward()
    gradients = [weight.grad for weight in task.parameters() if weight.grad is not None]
    assert len(gradients) > 40 and loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("logit", [1e4, -1e4, 0.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_loss_and_gradient_are_finite_for_logits(logit, dtype):
    task = tiny_task()
    for score in (0.0, 1.0):
        (part,) = task._parts(extreme(f"scores of {score:.0f}"))
        with torch.no_grad():
            prediction = task.model.interpret(*part[:3])
        values = [value.to(dtype).requires_grad_() for value in prediction[2:5]]
        values[2] = torch.full_like(values[2], logit).requires_grad_()
        prediction = type(prediction)(*prediction[:2], *values)
        labels = task.label(prediction, part.truth)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
            loss = loss_terms(task.losses, prediction, labels, {}).sum()
        assert loss.isfinite()
        found = torch.autograd.grad(loss, values)
        assert all(gradient.isfinite().all() for gradient in found)


def test_bfloat16_trains():
    task = tiny_task()
    before = weights_of(task)
    fitted(task, divided(random_batch(4), 2), precision="bf16-mixed")
    after = weights_of(task)
    assert all(weight.isfinite().all() for weight in after)
    assert not torch.equal(after[0], before[0])


@pytest.mark.slow
def test_a_hundred_people_are_9900_pairs():
    task = tiny_task()
    task.model.selection = task.model.selection._replace(max_instances=100)
    batch = random_batch(1, entities=100)
    scene = batch.inputs.scene
    everyone = scene.entities._replace(
        labels=torch.zeros_like(scene.entities.labels), mask=torch.ones(1, 100).bool()
    )
    truth = batch.truth._replace(objects=torch.zeros_like(batch.truth.objects))
    assert VOCABULARY.valid_pairs()[0].any()
    inputs = batch.inputs._replace(scene=scene._replace(entities=everyone))
    loss = task.training_step(batch._replace(inputs=inputs, truth=truth), 0)
    loss.backward()
    assert loss.isfinite()
    assert all(w.grad.isfinite().all() for w in task.parameters() if w.grad is not None)


def resumed(task, **changes):
    """The task after it was given its own checkpoint, with these changes, by a resumed training."""
    checkpoint = {"state_dict": task.state_dict()}
    task.on_save_checkpoint(checkpoint)
    again = tiny_task({"interaction": FocalLoss()}, not_finite="skip")
    state = SimpleNamespace(fn=TrainerFn.FITTING)
    again.trainer = SimpleNamespace(state=state, is_global_zero=True)
    again.on_load_checkpoint(checkpoint | changes)
    return again


def test_steps_left_out_before_an_interruption_count():
    task = tiny_task({"interaction": FocalLoss()}, not_finite="skip")
    task.watch.skipped = 3
    assert resumed(task).watch.skipped == 3


def test_a_run_does_not_resume_with_another_number_of_processes():
    """devices=auto finds what the machine has: options alone do not tell."""
    task = tiny_task({"interaction": FocalLoss()})
    with pytest.raises(SharedError, match=r"had 2 process.* now has 1.*trainer\.devices=2"):
        resumed(task, processes=2)
