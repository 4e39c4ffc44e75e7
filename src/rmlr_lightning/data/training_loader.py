"""The loader of training batches: repeatable whatever loads them, and resumable in an epoch.

All randomness of an item (views, crops, jitter) follows from the seed of the run, the epoch and the
item. Neither the number of loading processes nor an interruption changes it.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler, get_worker_info

from rmlr_lightning.data.batch_loader import BatchLoader

Key = tuple[int, int]  # epoch, index of the item


class SeededItems(Dataset):
    """Items of a data set by (epoch, index), with random generators of their own."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Key) -> Any:
        epoch, index = key
        with _generators(self.seed, epoch, index):
            return self.dataset[index]


class TrainingOrder(Sampler[Key]):
    """The keys of an epoch, in the order of another sampler, which has `set_epoch`.

    Args:
        order: the items of this process.
        step: items per process and optimiser step. A remainder is left out: in a step of its own
            its images would weigh more. Fewer items than one step has are one step.
    """

    def __init__(self, order: Sampler[int], step: int = 1) -> None:
        self.order, self.step = order, step
        self.epoch = 0
        self.start = (0, 0)  # the epoch that is resumed, and how many of its items are done

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch
        self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[Key]:
        epoch, done = self.start
        first = done if epoch == self.epoch else 0
        for item in islice(self.order, first, len(self)):
            yield self.epoch, item

    def __len__(self) -> int:
        items = len(self.order)
        return items // self.step * self.step or items


class TrainingLoader(BatchLoader):
    """A loader over `SeededItems` in a `TrainingOrder`.

    Checkpoints hold its state, so that a run that stopped within an epoch resumes at its next
    batch.
    """

    done = 0  # batches of this epoch that were handed out

    def __iter__(self) -> Iterator[Any]:
        # A generator: loading starts with the first batch. Lightning makes the iterator of a
        # resumed run before it sets the epoch.
        epoch, items = self.sampler.start
        self.done = items // self.batch_size if epoch == self.sampler.epoch else 0
        for batch in super().__iter__():
            self.done += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The position, for checkpoints."""
        return {"epoch": self.sampler.epoch, "batches": self.done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start at a position, if it lies in the epoch that is trained next."""
        self.sampler.start = (state["epoch"], state["batches"] * self.batch_size)


@contextmanager
def _generators(*numbers: int) -> Iterator[None]:
    """Seed the CPU's generators from numbers, and restore them afterwards."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    # A loading process draws nothing else. In the main process the model draws from them, too.
    is_shared = get_worker_info() is None
    if is_shared:
        states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    # Not torch.manual_seed, which seeds the GPU as well, where dropout draws.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        if is_shared:
            torch.set_rng_state(states[0])
            np.random.set_state(states[1])
            random.setstate(states[2])
