"""Every item exactly once, over any number of processes."""

from collections.abc import Iterator

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
