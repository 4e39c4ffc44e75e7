"""Which items a training step has, over processes and accumulated batches."""

import pytest

from rmlr_lightning.data.sampler import GroupBySize, Shuffled

COUNT = 203


def steps(orders: list[list[int]], batch_size: int, accumulated: int) -> list[set[int]]:
    """The items of each complete optimiser step, of all processes."""
    size = batch_size * accumulated
    found = []
    for first in range(0, min(map(len, orders)) // size * size, size):
        found.append({item for order in orders for item in order[first : first + size]})
    return found


@pytest.mark.fault
@pytest.mark.parametrize("batch_size, world, accumulated", [(8, 2, 1), (8, 1, 2), (4, 2, 2)])
@pytest.mark.parametrize("grouped", [True, False])
def test_a_step_has_the_same_items_however_it_is_divided(batch_size, world, accumulated, grouped):
    costs = [(number * 37) % 101 for number in range(COUNT)]

    def orders(batch_size: int, world: int, accumulated: int) -> list[list[int]]:
        if not grouped:
            return [list(Shuffled(COUNT, rank, world, 5)) for rank in range(world)]
        return [
            list(GroupBySize(costs, batch_size, rank, world, 3, 5, accumulated))
            for rank in range(world)
        ]

    expected = steps(orders(16, 1, 1), 16, 1)
    found = steps(orders(batch_size, world, accumulated), batch_size, accumulated)
    assert found == expected and len(found) == COUNT // 16
    assert all(len(step) == 16 for step in found)
