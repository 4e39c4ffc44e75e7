"""In which order items are taken, over any number of processes."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler


class EveryItemOnce(Sampler[int]):
    """Items rank, rank + world, rank + 2 world, ... without the duplicates that `DistributedSampler` pads with.

    For evaluation: with 33 items on 2 processes Lightning's default sampler evaluates one item twice.
    """

    def __init__(self, length: int, rank: int = 0, world: int = 1) -> None:
        self.items = range(rank, length, world)

    def __iter__(self) -> Iterator[int]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class GroupBySize(Sampler[int]):
    """A random order for training in which the items of a batch cost about the same.

    Every epoch all items are shuffled, sorted by cost within pools of some batches, cut into batches, and the batches
    shuffled. All processes get equally many items: those that do not go round are left out, others in each epoch.

    Args:
        costs: of every item, anything that sorts.
        batch_size: items a process and step.
        pool: batches whose items are sorted together; more is more alike and less random.
    """

    def __init__(
        self, costs: Sequence, batch_size: int, rank: int = 0, world: int = 1, pool: int = 20
    ) -> None:
        self.costs, self.batch_size, self.rank, self.world, self.pool = (
            costs,
            batch_size,
            rank,
            world,
            pool,
        )
        self.epoch = 0
        self.seed = torch.initial_seed()

    def set_epoch(self, epoch: int) -> None:
        """Lightning tells it; another order for each."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed((self.seed + self.epoch) % 2**63)
        order = torch.randperm(len(self.costs), generator=generator).tolist()
        mine = order[self.rank :: self.world][: len(self)]
        whole = (
            len(mine) // self.batch_size * self.batch_size
        )  # what is left over must not be the dearest
        batches = []
        for start in range(0, whole, self.pool * self.batch_size):
            pool = sorted(
                mine[start : min(start + self.pool * self.batch_size, whole)],
                key=self.costs.__getitem__,
            )
            batches += [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return iter([item for place in shuffled for item in batches[place]] + mine[whole:])

    def __len__(self) -> int:
        return len(self.costs) // self.world
