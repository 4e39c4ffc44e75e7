"""The loader of batches: with a GPU, the next batch is copied there while this one is used."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only
from torch.utils.data import DataLoader

from rmlr_lightning.data.packed_batch import PackedBatch
from rmlr_lightning.types import Batch


class BatchLoader(DataLoader):
    """A DataLoader that yields batches, whether its `collate_fn` packs them or not."""

    device: torch.device | None = None  # the GPU that receives the batches; all of them are packed

    def __iter__(self) -> Iterator[Any]:
        batches = super().__iter__()
        if self.device is not None:
            yield from copied_ahead(batches, self.device)
            return
        for batch in batches:
            yield batch.on() if isinstance(batch, PackedBatch) else batch


def copied_ahead(batches: Iterable[PackedBatch], device: torch.device) -> Iterator[Batch]:
    """The batches on a GPU. Each is copied on a stream of its own, beside the work on the last."""
    stream = torch.cuda.Stream(device)
    waiting: tuple[Batch, torch.cuda.Event] | None = None
    for batch in batches:
        with torch.cuda.stream(stream):
            following = batch.on(device), stream.record_event()
        if waiting is not None:
            yield _arrived(*waiting, device)
        waiting = following
    if waiting is not None:
        yield _arrived(*waiting, device)


def _arrived(batch: Batch, copied: torch.cuda.Event, device: torch.device) -> Batch:
    """The batch for the present stream, which waits for the copy; the host does not."""
    stream = torch.cuda.current_stream(device)
    stream.wait_event(copied)
    # its memory must not be given away before this stream has done what reads it
    tree_map_only(Tensor, lambda tensor: tensor.record_stream(stream), batch._replace(boxes=None))
    return batch
