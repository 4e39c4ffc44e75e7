"""The gradient of a step is that of one large batch, however the step is divided."""

from functools import partial

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch.utils.data import DataLoader, Sampler

from rmlr_lightning.losses.word import WordAlignment
from tests.tasks.tiny_task import (
    QUIET,
    Gradients,
    divided,
    fitted,
    in_double,
    random_batch,
    tiny_task,
)

pytestmark = [
    pytest.mark.fault,
    # Lightning's advice, and Python's on forks
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*Found .* in eval mode"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
]
BATCH = in_double(random_batch(16))


def gradients(batches, losses=None, max_pairs=10**6, **options):
    """Gradients of all steps of one epoch."""
    task = tiny_task(losses, max_pairs=max_pairs).double()
    recorded = Gradients()
    fitted(task, batches, callbacks=[recorded], **options)
    return recorded.steps


@pytest.fixture(scope="module")
def expected():
    (step,) = gradients([BATCH])
    assert len(step) > 40 and max(value.abs().max() for value in step.values()) > 1e-3
    return step


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-9, rtol=1e-9, msg=name)


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_has_the_gradient_of_one_batch(expected, parts):
    (step,) = gradients(divided(BATCH, parts), accumulate_grad_batches=parts)
    assert_equal(step, expected)


def test_the_last_step_of_an_epoch_may_accumulate_fewer_batches(expected):
    (step,) = gradients(divided(BATCH, 2), accumulate_grad_batches=3)
    assert_equal(step, expected)


def test_a_crowded_batch_in_parts_has_the_gradient_of_the_whole(expected):
    (step,) = gradients(divided(BATCH, 2), max_pairs=60, accumulate_grad_batches=2)
    assert_equal(step, expected)


class OfProcess(Sampler):
    """Every second batch, for one of two processes."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self):
        return iter(range(torch.distributed.get_rank(), self.count, 2))

    def __len__(self) -> int:
        return self.count // 2


def two_processes(batches, path, **options):
    """Gradients of one epoch in two processes that share the batches."""
    task = tiny_task(options.pop("losses", None), max_pairs=options.pop("max_pairs", 10**6))
    loader = DataLoader(list(batches), batch_size=None, sampler=OfProcess(len(batches)))
    # as in conf/trainer/ddp.yaml, but for the way in which processes start
    strategy = DDPStrategy(start_method="fork", gradient_as_bucket_view=True)
    options = {"max_epochs": 1, "devices": 2, "strategy": strategy} | QUIET | options
    Trainer(**options, callbacks=[Gradients(path)]).fit(task.double(), loader)
    return torch.load(path)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_two_processes_have_the_gradient_of_one(expected, tmp_path, accumulated):
    batches = divided(BATCH, 2 * accumulated)
    options = {
        "accumulate_grad_batches": accumulated,
        "max_pairs": 10**6 if accumulated == 1 else 30,
    }
    (step,) = two_processes(batches, tmp_path / "gradients.pt", **options)
    assert_equal(step, expected)


@pytest.mark.parametrize("lacks", ["positives", "pairs", "entities"])
def test_a_process_without_positives_or_pairs_takes_part(tmp_path, lacks):
    first, second = divided(in_double(random_batch(6, seed=3)), 2)
    second = without(second, lacks)
    joined = [two_processes([first, second], tmp_path / "gradients.pt")[0]]
    joined += gradients([first, second], accumulate_grad_batches=2)
    assert_equal(joined[0], joined[1])
    assert max(value.abs().max() for value in joined[0].values()) > 1e-3


def without(batch, what):
    """The batch without true pairs; without people; without any entity."""
    scene, truth = batch.inputs.scene, batch.truth
    entities = scene.entities
    if what == "positives":
        return batch._replace(truth=truth._replace(mask=torch.zeros_like(truth.mask)))
    if what == "pairs":
        entities = entities._replace(labels=entities.labels.clamp_min(1))
    else:
        entities = entities._replace(mask=torch.zeros_like(entities.mask))
    return batch._replace(inputs=batch.inputs._replace(scene=scene._replace(entities=entities)))


INFONCE = {"word": partial(WordAlignment, form="infonce")}


def test_rows_that_are_compared_have_fewer_negatives_in_a_divided_step(capsys):
    """What holds: the mean over rows stays that of the step, each row within its own batch."""
    batches = divided(BATCH, 2)
    (step,) = gradients(batches, INFONCE, accumulate_grad_batches=2)
    assert capsys.readouterr().out.startswith("note: loss word compares the rows of one batch")

    def row_sum(batch):
        """(rows, gradients of the sum over them) of a batch that is a step of its own."""
        task = tiny_task(INFONCE).double()
        prediction = task(batch.inputs)
        labels = task.label(prediction, batch.truth)
        count = task.losses["word"].count(labels)
        (count * task.losses["word"](prediction, labels)).backward()
        return count, {n: p.grad for n, p in task.named_parameters() if p.grad is not None}

    (first, of_first), (second, of_second) = map(row_sum, batches)
    expected = {n: (of_first[n] + of_second[n]) / (first + second) for n in of_first}
    assert_equal({name: step[name] for name in expected}, expected)

    (whole,) = gradients([BATCH], INFONCE)
    assert "note" not in capsys.readouterr().out
    assert any((whole[name] - step[name]).abs().max() > 1e-4 for name in whole)
