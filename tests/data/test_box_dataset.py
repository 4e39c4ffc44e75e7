import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from rmlr_lightning.annotations.coco_instances import read_ids
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.data.augmentation import RandomShortest, RandomSizeCrop
from rmlr_lightning.data.box_dataset import boxes_of, coco_boxes, interaction_boxes
from rmlr_lightning.data.collate import collate
from rmlr_lightning.data.hoi_dataset import hicodet_dataset
from rmlr_lightning.data.transforms import ResizeExact
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import COCO_OBJECTS

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
RESIZE = ResizeExact(80, 112)


@pytest.fixture(scope="module")
def paths(world):
    return {"annotations": world / "detection" / "instances_val.json", "images": world}


def test_items_hold_pixels_on_the_canvas_and_boxes_of_the_file(paths):
    dataset = coco_boxes(**paths, resize=RESIZE)
    assert len(dataset) == 24 and dataset.objects == COCO_OBJECTS

    batch = collate([dataset[0], dataset[1]])
    assert batch.inputs.images.pixels.shape == (2, 3, 80, 112)
    assert batch.truth is None
    for target, of_file in zip(batch.boxes, dataset.targets, strict=False):
        assert torch.equal(target.boxes, of_file.boxes)
        height, width = target.size.tolist()
        assert (target.boxes[:, 2] <= width).all() and (target.boxes[:, 3] <= height).all()


def test_a_data_set_without_images_is_refused(paths):
    with pytest.raises(UserError, match=r"no image is left.*limit=0"):
        coco_boxes(**paths, resize=RESIZE, limit=0)


def one_box(folder: Path, names: list[str], ids: list[int]) -> Path:
    """COCO's instances json: images of one person each."""
    path = folder / f"{ids[0]}.json"
    images = [
        {"id": i, "file_name": name, "width": 40, "height": 30}
        for i, name in zip(ids, names, strict=True)
    ]
    rows = [{"id": i, "image_id": i, "category_id": 1, "bbox": [4, 5, 20, 10]} for i in ids]
    people = [{"id": 1, "name": "person"}]
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": people}))
    return path


@pytest.mark.fault
def test_images_and_boxes_that_are_not_there_are_not_left_out_without_a_word(tmp_path):
    first, second = (one_box(tmp_path, [f"{i}.png"], [i]) for i in (1, 2))
    (tmp_path / "some.ids").write_text("1\n2\n")
    with pytest.raises(UserError, match=r"some.ids: lists 1 image that .*1.json does not hold, 2"):
        coco_boxes(first, tmp_path, resize=RESIZE, ids=tmp_path / "some.ids")
    with pytest.raises(UserError, match="two of the files hold one image id"):
        coco_boxes([first, second, first], tmp_path, resize=RESIZE)

    document = json.loads(second.read_text())
    document["annotations"] = []
    second.write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"2.json: no image of this split has a box, of 1"):
        coco_boxes(second, tmp_path, resize=RESIZE)
    document["annotations"] = [
        {"id": i, "image_id": 2, "category_id": 1, "bbox": [1, 1, i, 9]} for i in range(3)
    ]
    second.write_text(json.dumps(document))
    data = coco_boxes(second, tmp_path, resize=RESIZE)
    assert data.notes == (f"1 box of {second} left out: no area",)


def test_a_crop_leaves_out_the_boxes_outside_and_cuts_those_across_its_edge(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    path = one_box(tmp_path, ["a.png"], [1])
    torch.manual_seed(0)
    crop = v2.Compose([RandomSizeCrop(12, 12)])
    dataset = coco_boxes(
        path, tmp_path, resize=RESIZE, augment=crop, random_resize=RandomShortest([24])
    )
    numbers = set()
    for _ in range(40):
        item = dataset[0]
        assert item.pixels.shape == (3, 24, 24)
        assert item.size.tolist() == item.boxes.size.tolist() == [12, 12]
        numbers.add(len(item.boxes.labels))
        assert (item.boxes.boxes >= 0).all() and (item.boxes.boxes <= 12).all()
        assert len(item.boxes.boxes) == len(item.boxes.labels) == len(item.boxes.crowd)
    assert numbers == {0, 1}


def test_several_files_are_one_data_set(tmp_path):
    files = [one_box(tmp_path, ["a.png"], [1]), one_box(tmp_path, ["b.png"], [2])]
    assert len(coco_boxes(files, tmp_path, resize=RESIZE)) == 2
    (tmp_path / "some.ids").write_text("2\n")
    (only,) = coco_boxes(files, tmp_path, resize=RESIZE, ids=tmp_path / "some.ids").targets
    assert only.file_name == "b.png"

    document = json.loads(files[1].read_text())
    document["categories"] = [{"id": 1, "name": "robot arm"}]
    files[1].write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"2\.json: has other categories than .*1\.json"):
        coco_boxes(files, tmp_path, resize=RESIZE)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real annotation files in ../shared/data")
def test_no_test_image_of_vcoco_is_trained_on_inside_coco(tmp_path):
    """With V-COCO's real ids: its train and val lie in COCO's train2014, its test in val2014."""
    splits = SHARED / "vcoco" / "splits"
    ids = {name: read_ids(splits / f"vcoco_{name}.ids") for name in ("trainval", "test")}
    files = []
    for split, folder in (("trainval", "train2014"), ("test", "val2014")):
        names = [f"COCO_{folder}_{image:012d}.jpg" for image in ids[split]]
        files.append(one_box(tmp_path, names, ids[split]))

    kept = coco_boxes(files, tmp_path, resize=RESIZE, exclude=splits / "vcoco_test.ids")
    found = [target.image_id for target in kept.targets]
    assert sorted(found) == sorted(ids["trainval"]) and len(found) == 5_400
    assert not set(found) & set(ids["test"])

    assert len(ids["test"]) == 4_946


def slow_instances(target: Target, max_overlap: float) -> list[tuple]:
    """Greedy merging, box by box."""
    rows = [(0, box) for box in target.boxes_h.tolist()]
    rows += zip(target.objects.tolist(), target.boxes_o.tolist(), strict=True)
    kept = []
    for label, (x1, y1, x2, y2) in rows:
        is_new = True
        for other, (a1, b1, a2, b2) in kept:
            width, height = min(x2, a2) - max(x1, a1), min(y2, b2) - max(y1, b1)
            both = max(width, 0) * max(height, 0)
            union = (x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1) - both
            is_new &= not (other == label and both > max_overlap * union)
        if is_new:
            kept.append((label, (x1, y1, x2, y2)))
    return kept


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real annotation files in ../shared/data")
def test_the_instances_of_hicodets_test_split():
    annotations = read_hicodet(SHARED / "hicodet" / "instances_test2015.json")
    found = [boxes_of(target, 0) for target in annotations.targets]
    for target, boxes in list(zip(annotations.targets, found, strict=True))[:600]:
        expected = slow_instances(target, 0.7)
        assert boxes.labels.tolist() == [label for label, _ in expected]
        assert torch.equal(boxes.boxes, torch.tensor([box for _, box in expected]).reshape(-1, 4))
    rows = sum(2 * len(target.verbs) for target in annotations.targets)
    assert (rows, sum(len(boxes.labels) for boxes in found)) == (66_810, 37_046)


def test_the_boxes_of_interactions_are_those_of_their_people_and_objects(world):
    root = world / "hico_20160224_det"
    dataset = interaction_boxes(
        hicodet_dataset,
        annotations=root / "instances_train2015.json",
        images=root / "images" / "train2015",
        only_interacting=True,
        held_out=False,
        resize=RESIZE,
    )
    assert dataset.objects == COCO_OBJECTS
    item = dataset[0]
    assert item.truth is None and item.pixels.shape == (3, 80, 112)
    assert (item.boxes.labels == 0).any() and (item.boxes.labels > 0).any()
    assert len(dataset.costs()) == len(dataset)


def test_an_empty_role_has_no_box_and_subjects_have_their_class():
    nan = [float("nan")] * 4
    target = Target(
        "a.jpg",
        1,
        torch.tensor([30, 40]),
        boxes_h=torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10.5], [20, 0, 30, 10]]).double(),
        boxes_o=torch.tensor([[5.0, 5, 20, 20], nan, [5, 5, 20, 20]]).double(),
        objects=torch.tensor([2, -1, 2]),
        verbs=torch.tensor([0, 1, 0]),
        hois=torch.tensor([0, -1, 0]),
    )
    boxes = boxes_of(target, subject=4)
    assert boxes.labels.tolist() == [4, 4, 2]
    with_subjects = target._replace(subjects=torch.tensor([1, 3, 1]))
    assert boxes_of(with_subjects, subject=None).labels.tolist() == [1, 3, 1, 2]
