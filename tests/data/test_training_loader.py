"""What a training item is follows from seed, epoch and item, whoever loads it."""

import random
from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from rmlr_lightning.data.sampler import Shuffled
from rmlr_lightning.data.training_loader import SeededItems, TrainingLoader, TrainingOrder

SEED, COUNT, BATCH = 5, 14, 3


class Random(Dataset):
    """Each item is its index and a number from every generator that an augmentation may use."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> list[float]:
        return [float(index), float(torch.rand(())), random.random(), float(np.random.rand())]


def loader(workers: int = 0, seed: int = SEED) -> TrainingLoader:
    return TrainingLoader(
        SeededItems(Random(), seed),
        BATCH,
        sampler=TrainingOrder(Shuffled(COUNT, seed=seed)),
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=list,
        drop_last=True,
    )


def epochs(made: TrainingLoader, *numbers: int) -> list[list]:
    """The batches of epochs, as Lightning asks for them."""
    batches = []
    for number in numbers:
        batches_of = iter(made)
        made.sampler.set_epoch(number)  # Lightning does so after it made the first iterator
        batches.append(list(batches_of))
    return batches


@pytest.mark.parametrize("workers", [1, 2])
def test_loading_processes_change_no_item(workers):
    assert epochs(loader(workers), 0, 1) == epochs(loader(), 0, 1)


def test_an_epoch_does_not_depend_on_those_before_it():
    assert epochs(loader(), 0, 1, 2)[2] == epochs(loader(), 2)[0]


def test_every_epoch_and_every_seed_draws_anew():
    drawn = [
        number
        for seed in (5, 6)
        for epoch in epochs(loader(seed=seed), 0, 1)
        for batch in epoch
        for item in batch
        for number in item[1:]
    ]
    assert len(set(drawn)) == len(drawn)


def test_the_generators_of_the_process_are_left_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    SeededItems(Random(), SEED)[0, 2]
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.fault
def test_an_interrupted_epoch_resumes_at_its_next_batch(workers):
    whole = loader()
    first, second = epochs(whole, 1, 2)
    stopped = loader()
    stopped.sampler.set_epoch(1)
    assert list(islice(stopped, 2)) == first[:2]
    state = stopped.state_dict()
    assert state == {"epoch": 1, "batches": 2}

    resumed = loader(workers)
    resumed.load_state_dict(state)
    assert epochs(resumed, 1, 2) == [first[2:], second]
    assert resumed.state_dict() == whole.state_dict()


@pytest.mark.fault
def test_a_state_of_an_epoch_that_is_over_skips_nothing():
    resumed = loader()
    resumed.load_state_dict({"epoch": 0, "batches": COUNT // BATCH})
    assert epochs(resumed, 1) == epochs(loader(), 1)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_the_items_and_get_as_many(world):
    orders = [list(Shuffled(COUNT, rank, world, SEED)) for rank in range(world)]
    seen = [item for order in orders for item in order]
    assert len(set(seen)) == len(seen)
    assert {len(order) for order in orders} == {COUNT // world}


def test_the_order_follows_the_seed():
    assert list(Shuffled(COUNT, seed=1)) == list(Shuffled(COUNT, seed=1))
    assert list(Shuffled(COUNT, seed=1)) != list(Shuffled(COUNT, seed=2))


@pytest.mark.fault
@pytest.mark.parametrize("count, items", [(14, 12), (12, 12), (7, 6), (5, 5)])
def test_an_epoch_has_complete_steps(count, items):
    """A remainder would be a step of fewer images; a tiny data set is one step."""
    order = TrainingOrder(Shuffled(count, seed=SEED), step=6)
    assert len(order) == items == len(list(order))
    assert [item for _, item in order] == list(Shuffled(count, seed=SEED))[:items]
