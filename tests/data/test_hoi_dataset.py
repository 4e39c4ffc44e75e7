"""Data sets and loaders on a small synthetic benchmark."""

from types import SimpleNamespace

import pytest
import torch
from torchvision.transforms import v2

from rmlr_lightning.data.collate import collate, collate_images
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset, hicodet_dataset, vcoco_dataset
from rmlr_lightning.data.sampler import EveryItemOnce
from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest, transform
from rmlr_lightning.errors import UserError
from tests.scenes import noise_image

RESIZE = ResizeExact(80, 112)


@pytest.fixture(scope="module")
def train(world):
    home = world / "hico_20160224_det"
    return hicodet_dataset(
        str(home / "instances_train2015.json"), str(home / "images" / "train2015"), resize=RESIZE
    )


def test_an_item_is_a_canvas_with_relative_boxes(train):
    item = train[0]
    assert item.pixels.shape == (3, 80, 112)
    assert 0 <= item.pixels.min() < item.pixels.max() <= 1
    target = train.target(item.image_id)
    assert target is train.targets[0]
    height, width = item.size.tolist()
    scale = torch.tensor([width, height, width, height], dtype=torch.float64)
    for boxes in (item.truth.boxes_h, item.truth.boxes_o):
        assert boxes.dtype == torch.float32 and (boxes >= 0).all() and (boxes <= 1).all()
    assert set(map(tuple, (item.truth.boxes_h * scale).round().tolist())) == set(
        map(tuple, target.boxes_h.round().tolist())
    )


def test_flipping_twice_is_nothing_and_once_mirrors_boxes(train):
    flip = v2.RandomHorizontalFlip(p=1.0)
    image = noise_image(40, 30, 60).convert("RGB")
    boxes = torch.tensor([[4.0, 5.0, 14.0, 25.0]])
    plain = transform(image, [boxes], ResizeExact(30, 40))
    mirrored = transform(image, [boxes], ResizeExact(30, 40), flip)
    assert torch.equal(mirrored.pixels.flip(2), plain.pixels)
    assert mirrored.boxes[0].tolist() == [[26.0, 5.0, 36.0, 25.0]]
    assert plain.boxes[0].tolist() == boxes.tolist()


def test_shortest_side_keeps_the_aspect_and_the_bound():
    assert ResizeShortest(800, 1333).canvas(480, 640) == (800, 1066)
    assert ResizeShortest(800, 1333).canvas(300, 1000) == (400, 1333)


def test_padding_is_masked():
    images = collate_images(
        [torch.ones(3, 4, 6), torch.ones(3, 5, 2)], [torch.tensor([4, 6]), torch.tensor([5, 2])]
    )
    assert images.pixels.shape == (2, 3, 5, 6)
    assert images.mask.sum(dim=(1, 2)).tolist() == [24, 10]
    assert (images.pixels[:, 0] == images.mask).all()


def test_true_boxes_and_shifted_ones_reach_the_batch(world):
    home = world / "hico_20160224_det"
    truth, shifted = (
        collate(
            [
                hicodet_dataset(
                    str(home / "instances_val2015.json"),
                    str(home / "images" / "val2015"),
                    resize=RESIZE,
                    external=external,
                )[index]
                for index in range(2)
            ]
        ).inputs.external
        for external in ("truth", "shifted")
    )
    assert truth.boxes.shape[:1] == (2,) and truth.mask.any(1).all()
    assert torch.equal(truth.labels, shifted.labels) and torch.equal(truth.mask, shifted.mask)
    moved = (truth.boxes - shifted.boxes)[truth.mask].abs()
    assert 0 < moved.median() < 0.1


def test_held_out_images_depend_on_names_alone_and_share_nothing(train):
    home = train.images
    annotations = SimpleNamespace(vocabulary=train.vocabulary, targets=train.targets)
    kept = HOIDataset(annotations, home, RESIZE, held_out=False, share=0.4)
    out = HOIDataset(annotations, home, RESIZE, held_out=True, share=0.4)
    names = [{target.file_name for target in part.targets} for part in (kept, out)]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == len(train)


def test_images_of_two_folders(train, tmp_path):
    annotations = SimpleNamespace(vocabulary=train.vocabulary, targets=train.targets[:2])
    moved = train.targets[1].file_name
    (tmp_path / moved).write_bytes((train.images / moved).read_bytes())
    both = HOIDataset(annotations, [tmp_path, *train.images.paths], RESIZE)
    assert both.images / moved == tmp_path / moved
    assert all(torch.equal(both[i].pixels, train[i].pixels) for i in range(2))


def test_a_split_without_images_is_refused(train):
    empty = SimpleNamespace(vocabulary=train.vocabulary, targets=[])
    with pytest.raises(UserError, match="no image is left"):
        HOIDataset(empty, train.images, RESIZE)


def test_the_synthetic_benchmark_is_read_as_vcoco(world):
    home = world / "vcoco"
    data = vcoco_dataset(
        str(home / "vcoco_val.json"),
        str(world / "mscoco2014" / "train2014"),
        instances=str(home / "instances_vcoco_all_2014.json"),
        ids=str(home / "splits" / "vcoco_val.ids"),
        resize=RESIZE,
    )
    assert data[0].pixels.shape == (3, 80, 112)
    assert {
        data.vocabulary.verbs[verb] for target in data.targets for verb in target.verbs.tolist()
    } <= set(data.vocabulary.verbs)


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_every_item_exactly_once_over_processes(world_size):
    seen = [item for rank in range(world_size) for item in EveryItemOnce(33, rank, world_size)]
    assert sorted(seen) == list(range(33))


def test_loaders_give_batches(train):
    module = DataModule(
        lambda: train, lambda: train, lambda: train, batch_size=4, eval_batch_size=8, num_workers=0
    )
    assert module.vocabulary is train.vocabulary
    assert next(iter(module.train_dataloader())).inputs.images.pixels.shape[0] == 4
    total = sum(len(batch.image_ids) for batch in module.test_dataloader())
    assert total == len(train)
