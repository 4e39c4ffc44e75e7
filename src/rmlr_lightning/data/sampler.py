"""The order of items, over any number of processes."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler


class EveryItemOnce(Sampler[int]):
    """Items rank, rank + world, rank + 2 world, ... without duplicates, for evaluation.

    `DistributedSampler` pads with duplicates: of 33 items on 2 processes one is evaluated twice.
    """

    def __init__(self, length: int, rank: int = 0, world: int = 1) -> None:
        self.items = range(rank, length, world)

    def __iter__(self) -> Iterator[int]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Shuffled(Sampler[int]):
    """All items in an order that follows from seed and epoch, divided among the processes.

    All processes get the same number of items; the remainder is left out, another one in each
    epoch. (`DistributedSampler` has one order for all seeds of a run.)
    """

    def __init__(self, length: int, rank: int = 0, world: int = 1, seed: int | None = None) -> None:
        self.length, self.rank, self.world = length, rank, world
        self.epoch = 0
        self.seed = torch.initial_seed() if seed is None else seed

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch, which has an order of its own."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self._share(self._order(self._generator())))

    def __len__(self) -> int:
        return self.length // self.world

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed((self.seed + self.epoch) % 2**63)

    def _order(self, generator: torch.Generator) -> list[int]:
        return torch.randperm(self.length, generator=generator).tolist()

    def _share(self, items: list[int]) -> list[int]:
        """Those of this process; all processes get as many."""
        return items[self.rank :: self.world][: len(items) // self.world]


class GroupBySize(Shuffled):
    """A random order for training in which the items of a batch have similar costs.

    In every epoch all items are shuffled, sorted by cost within pools of some optimiser steps, cut
    into steps, and the steps are shuffled. A step has the same items, however it is divided among
    processes and accumulated batches.

    Args:
        costs: of every item; any values that can be sorted.
        batch_size: items per process and batch.
        pool: steps whose items are sorted together; a larger pool has less padding and less
            randomness.
        accumulated: batches per process and step.
    """

    def __init__(
        self,
        costs: Sequence,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        pool: int = 20,
        seed: int | None = None,
        accumulated: int = 1,
    ) -> None:
        super().__init__(len(costs), rank, world, seed)
        self.costs, self.pool = costs, pool
        self.step = batch_size * world * accumulated

    def __iter__(self) -> Iterator[int]:
        generator = self._generator()
        order = self._order(generator)

        # the incomplete step is cut off before sorting: it must not hold the most expensive items
        complete = len(order) // self.step * self.step
        steps = []
        for start in range(0, complete, self.pool * self.step):
            pool = order[start : min(start + self.pool * self.step, complete)]
            pool.sort(key=self.costs.__getitem__)
            for first in range(0, len(pool), self.step):
                steps.append(self._share(pool[first : first + self.step]))

        shuffled = torch.randperm(len(steps), generator=generator).tolist()
        grouped = [item for step in shuffled for item in steps[step]]
        return iter(grouped + self._share(order[complete:]))
