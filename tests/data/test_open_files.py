"""Tensors of loading processes hold files open; Linux allows 1,024 of them, macOS 256."""

import os

import pytest
import torch
from torch.utils.data import Dataset

from rmlr_lightning.data.collate import Item, single_scenes
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.truth import truth_of
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.user_errors import user_message
from rmlr_lightning.tasks.detection import DetectionTask
from rmlr_lightning.types import BoxTarget, Entities
from tests.scenes import random_scene, target_of
from tests.tasks.test_detection import detection_task
from tests.tiny_detectors import tiny_detector

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts files in /proc"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
]
IMAGES, BATCH = 48, 4


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class BoxItems(Dataset):
    """Images with three boxes each, of which the last is another one in each image."""

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, index: int) -> Item:
        boxes = torch.tensor([[0.0, 0, 20, 15], [2, 2, 9, 9], [1, 1, 5 + index / 4, 9]])
        size = torch.tensor([48, 64])
        crowd = torch.zeros(3, dtype=torch.bool)
        target = BoxTarget(f"{index}.jpg", index, size, boxes, torch.tensor([0, 1, 2]), crowd)
        return Item(index, size, pixels=torch.full((3, 48, 64), index / IMAGES), boxes=target)


class SceneItems(BoxItems):
    """Cached detector outputs and annotated pairs."""

    def __getitem__(self, index: int) -> Item:
        (scene,) = single_scenes(random_scene(1, 9, seed=index))
        fields = (field[0] for field in scene[1:4])
        scene = scene._replace(entities=Entities(*(f[0] for f in scene.entities)))
        scene = scene._replace(**dict(zip(scene._fields[1:4], fields, strict=True)))
        target = target_of([[0, 0, 50, 60]] * 2, [[9, 9, 70, 80]] * 2, [3, 3], [0, 1])
        return Item(index, scene.sizes, scene=scene, truth=truth_of(target, target.size, 5))


def loader_of(dataset: Dataset):
    splits = [lambda: dataset] * 3
    return DataModule(*splits, BATCH, BATCH, num_workers=2).val_dataloader()


def test_the_metric_of_a_detector_keeps_no_file_open():
    task: DetectionTask = detection_task(tiny_detector("detr", frozen=False)).eval()
    loader = loader_of(BoxItems())
    before = open_files()
    counts = []
    with torch.no_grad():
        for index, batch in enumerate(loader):
            task.validation_step(batch, index)
            counts.append(open_files() - before)
    assert len(counts) == IMAGES // BATCH
    # what the loading processes have ahead, and their pipes
    assert max(counts) < 70 and counts[-1] <= counts[2] + 10
    assert len(task.metrics["val"].groundtruth_box) == IMAGES


@pytest.mark.parametrize("dataset", [BoxItems, SceneItems])
def test_a_batch_is_a_few_files_whatever_its_size(dataset):
    loader = loader_of(dataset())
    before = open_files()
    batches = []
    for batch in loader:
        batches.append(batch)
    # one file of all tensors, and one for each field of annotated boxes
    assert (open_files() - before) / len(batches) < 6
    assert [i for batch in batches for i in batch.image_ids] == list(range(IMAGES))


def test_targets_of_a_batch_are_those_of_its_images():
    for batch in loader_of(BoxItems()):
        for image_id, target in zip(batch.image_ids, batch.boxes, strict=True):
            expected = BoxItems()[image_id].boxes
            assert target[:2] == expected[:2]
            for found, value in zip(target[2:], expected[2:], strict=True):
                assert torch.equal(found, value)


@pytest.mark.parametrize("dataset", [BoxItems, SceneItems])
def test_a_full_shared_memory_ends_with_one_line(monkeypatch, dataset):
    def full(tensor: torch.Tensor) -> None:
        raise RuntimeError("unable to allocate shared memory(shm): No space left on device (28)")

    # the loading processes are forks of this one
    owner, name = {
        BoxItems: (torch.Tensor, "share_memory_"),
        SceneItems: (torch.UntypedStorage, "_new_shared"),
    }[dataset]
    monkeypatch.setattr(owner, name, full)
    with pytest.raises(UserError) as caught:
        next(iter(loader_of(dataset())))
    line = user_message(caught.value)
    assert line.startswith("a loading process cannot share images (unable to allocate")
    assert "No space left on device (28)); enlarge /dev/shm" in line and "\n" not in line
