"""A batch in one buffer: the same batch, in one piece."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from rmlr_lightning.data.batch_loader import copied_ahead
from rmlr_lightning.data.collate import collate
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.packed_batch import PackedBatch
from rmlr_lightning.types import Batch
from tests.data.test_open_files import IMAGES, BoxItems, SceneItems


def batch_of(data=SceneItems, **options) -> Batch:
    return collate([data()[index] for index in (3, 8)], **options)


def assert_same(found: Batch, expected: Batch) -> None:
    assert found.image_ids == expected.image_ids
    for a, b in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        if isinstance(b, Tensor):
            assert a.dtype == b.dtype and torch.equal(a, b)
        else:
            assert a == b


@pytest.mark.parametrize("data", [SceneItems, BoxItems])
def test_a_batch_comes_out_as_it_went_in(data):
    assert_same(PackedBatch(batch_of(data)).on(), batch_of(data))


def test_its_tensors_are_views_of_one_buffer():
    packed = PackedBatch(batch_of())
    start = packed.buffer.data_ptr()
    tensors = [leaf for leaf in tree_leaves(packed.on()) if isinstance(leaf, Tensor)]
    assert all(start <= t.data_ptr() < start + len(packed.buffer) for t in tensors)


def test_tensors_without_elements_keep_their_shape():
    batch = batch_of()
    truth = batch.truth._replace(boxes_h=torch.zeros(2, 0, 4), mask=torch.zeros(2, 0).bool())
    assert_same(PackedBatch(batch._replace(truth=truth)).on(), batch._replace(truth=truth))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_travels_and_float32_arrives(dtype):
    """A step gets the numbers that it gets where batches are not packed."""

    def stored(index: int):
        item = SceneItems()[index]
        return item._replace(scene=item.scene._replace(memory=item.scene.memory.to(dtype)))

    items = [stored(3), stored(8)]
    packed = PackedBatch(collate(items, half=True))
    assert packed.layout.inputs.scene.memory.dtype == dtype
    assert_same(packed.on(), collate(items))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
@pytest.mark.parametrize("data", [SceneItems, BoxItems])
def test_loading_processes_change_no_batch(data):
    """Packed by two processes, not packed without them."""
    loaders = [DataModule(*[data] * 3, 4, 4, workers).val_dataloader() for workers in (0, 2)]
    found = []
    for own, sent in zip(*loaders, strict=True):
        assert_same(sent, own)
        found += sent.image_ids
    assert found == list(range(IMAGES))


def test_a_batch_is_copied_before_its_predecessor_is_used(monkeypatch):
    """The order of copies and uses; without a GPU, its streams are stand-ins."""
    done = []
    side = SimpleNamespace(record_event=lambda: "event")
    main = SimpleNamespace(wait_event=lambda event: done.append(event))
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: side)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: torch.no_grad())
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    packed = PackedBatch(batch_of())

    def copies():
        for number in range(3):
            done.append(f"copy {number}")
            yield packed

    for number, batch in enumerate(copied_ahead(copies(), torch.device("cpu"))):
        done.append(f"use {number}")
        assert_same(batch, batch_of())
    expected = "copy 0, copy 1, event, use 0, copy 2, event, use 1, event, use 2"
    assert ", ".join(done) == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_on_a_gpu_are_those_of_the_loader():
    device = torch.device("cuda", 0)
    batches = [PackedBatch(batch_of(half=True)).pin_memory() for _ in range(4)]
    for batch in copied_ahead(batches, device):
        assert all(t.device == device for t in tree_leaves(batch) if isinstance(t, Tensor))
        on_cpu = [t.cpu() for t in tree_leaves(batch) if isinstance(t, Tensor)]
        expected = [t for t in tree_leaves(batch_of()) if isinstance(t, Tensor)]
        assert all(torch.equal(a, b) for a, b in zip(on_cpu, expected, strict=True))
