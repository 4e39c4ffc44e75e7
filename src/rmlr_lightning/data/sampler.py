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


class GroupBySize(Sampler[int]):
    """A random order for training in which the items of a batch have similar costs.

    In every epoch all items are shuffled, sorted by cost within pools of some batches, cut into
    batches, and the batches are shuffled. All processes get the same number of items; the
    remainder is left out, another one in each epoch.

    Args:
        costs: of every item; any values that can be sorted.
        batch_size: items per process and step.
        pool: batches whose items are sorted together; a larger pool has less padding and less
            randomness.
    """

    def __init__(
        self, costs: Sequence, batch_size: int, rank: int = 0, world: int = 1, pool: int = 20
    ) -> None:
        self.costs, self.batch_size = costs, batch_size
        self.rank, self.world, self.pool = rank, world, pool
        self.epoch = 0
        self.seed = torch.initial_seed()

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning; each epoch has an order of its own."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed((self.seed + self.epoch) % 2**63)
        order = torch.randperm(len(self.costs), generator=generator).tolist()
        mine = order[self.rank :: self.world][: len(self)]

        # the incomplete batch is cut off before sorting: it must not hold the most expensive items
        complete = len(mine) // self.batch_size * self.batch_size
        batches = []
        for start in range(0, complete, self.pool * self.batch_size):
            pool = mine[start : min(start + self.pool * self.batch_size, complete)]
            pool.sort(key=self.costs.__getitem__)
            for first in range(0, len(pool), self.batch_size):
                batches.append(pool[first : first + self.batch_size])

        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        grouped = [item for batch in shuffled for item in batches[batch]]
        return iter(grouped + mine[complete:])

    def __len__(self) -> int:
        return len(self.costs) // self.world
