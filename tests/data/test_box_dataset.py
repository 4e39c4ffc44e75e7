import pytest
import torch

from rmlr_lightning.data.box_dataset import CocoBoxes
from rmlr_lightning.data.collate import collate
from rmlr_lightning.data.transforms import ResizeExact
from rmlr_lightning.errors import UserError


@pytest.fixture(scope="module")
def paths(world):
    return {"annotations": world / "detection" / "instances_val.json", "images": world}


def test_items_hold_pixels_on_the_canvas_and_boxes_of_the_file(paths):
    dataset = CocoBoxes(**paths, resize=ResizeExact(80, 112))
    assert len(dataset) == 24

    batch = collate([dataset[0], dataset[1]])
    assert batch.inputs.images.pixels.shape == (2, 3, 80, 112)
    assert batch.truth is None
    for target, of_file in zip(batch.boxes, dataset.targets, strict=False):
        assert torch.equal(target.boxes, of_file.boxes)
        height, width = target.size.tolist()
        assert (target.boxes[:, 2] <= width).all() and (target.boxes[:, 3] <= height).all()


def test_a_data_set_without_images_is_refused(paths):
    with pytest.raises(UserError, match=r"no image in it \(limit=0\)"):
        CocoBoxes(**paths, resize=ResizeExact(80, 112), limit=0)
