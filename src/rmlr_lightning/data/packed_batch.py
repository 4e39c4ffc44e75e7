"""A batch in one piece of memory, so that one copy brings it from a process or to a GPU.

A loading process sends each tensor as a file of its own, each is pinned and copied to the GPU by
itself. A packed batch is one file and one copy.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only
from torch.utils.data import get_worker_info

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Batch

ALIGNMENT = 64  # bytes; a view of another type must start at a multiple of its size
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in the buffer."""

    start: int
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + prod(self.shape) * self.dtype.itemsize


class PackedBatch:
    """The tensors of a batch, one after the other in a buffer of bytes.

    Args:
        batch: on the CPU. Its `boxes` stay outside: metrics keep them, and would keep the buffer.
        shared: whether the buffer lies in memory that other processes can read.

    Raises:
        UserError: there is no shared memory left.
    """

    def __init__(self, batch: Batch, shared: bool = False) -> None:
        tensors: list[tuple[Place, Tensor]] = []
        end = 0

        def place(tensor: Tensor) -> Place:
            nonlocal end
            start = -(-end // ALIGNMENT) * ALIGNMENT
            tensors.append((Place(start, tensor.dtype, tuple(tensor.shape)), tensor))
            end = tensors[-1][0].end
            return tensors[-1][0]

        # the batch with places in the place of tensors
        self.layout: Batch = tree_map_only(Tensor, place, batch._replace(boxes=None))
        self.boxes = batch.boxes
        if shared:
            share_memory(self.boxes)
        self.buffer = shared_bytes(end) if shared else torch.empty(end, dtype=torch.uint8)
        for at, tensor in tensors:
            self._at(at, self.buffer).copy_(tensor)

    def pin_memory(self) -> "PackedBatch":
        """The same in pinned memory. DataLoader calls it."""
        pinned = copy(self)
        pinned.buffer = self.buffer.pin_memory()
        return pinned

    def on(self, device: torch.device | str = "cpu") -> Batch:
        """The batch, whose tensors are views of the buffer on a device.

        Half precision becomes float32 there, so that only half of the bytes are copied.
        """
        buffer = self.buffer.to(device, non_blocking=True)

        def tensor(place: Place) -> Tensor:
            values = self._at(place, buffer)
            return values.float() if place.dtype in HALF else values

        return tree_map_only(Place, tensor, self.layout)._replace(boxes=self.boxes)

    @staticmethod
    def _at(place: Place, buffer: Tensor) -> Tensor:
        return buffer[place.start : place.end].view(place.dtype).view(place.shape)


def packed(items: Sequence, collate: Callable[[Sequence], Batch]) -> PackedBatch:
    """The items of a batch, packed; a `collate_fn` once `collate` is given."""
    return PackedBatch(collate(items), shared=get_worker_info() is not None)


def shared_bytes(count: int) -> Tensor:
    """So many bytes of shared memory, without a value.

    Raises:
        UserError: there is no room, or too many files are open.
    """
    with _named_errors():
        # as in torch's own collate; `share_memory_` would copy bytes that have no value yet
        storage = torch.UntypedStorage._new_shared(count)
    return torch.empty(0, dtype=torch.uint8).set_(storage)


def share_memory(record: Any) -> None:
    """Move the tensors of a (nested) record to shared memory, as is done to send it.

    Raises:
        UserError: there is no room, or too many files are open.
    """
    if isinstance(record, Tensor):
        with _named_errors():
            record.share_memory_()
    elif isinstance(record, (tuple, list)):
        for value in record:
            share_memory(value)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Errors of shared memory name the way out.

    Sending a batch would meet them in a thread, where they are lost: the main process would wait
    for ever.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"a loading process cannot share images ({str(error).splitlines()[0]}); enlarge "
            "/dev/shm (docker run --shm-size=8g) or ulimit -n, or use data.num_workers=0"
        ) from None
