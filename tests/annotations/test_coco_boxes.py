import contextlib
import io
import json

import pytest
import torch
from pycocotools.coco import COCO

from rmlr_lightning.annotations.coco_boxes import read_coco_boxes
from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.vocabulary import COCO_OBJECTS

INSTANCES = "instances_vcoco_all_2014.json"


def some_without_area_and_crowds(document):
    document["annotations"][3]["bbox"][2] = 0
    document["annotations"][4]["bbox"][3] = 0
    document["annotations"][5]["iscrowd"] = 1
    document["annotations"][6].pop("iscrowd")
    document["images"].append({"id": 9, "file_name": "empty.jpg", "width": 5, "height": 4})


def test_boxes_as_pycocotools_reads_them(fake, edited):
    path = edited(fake / INSTANCES, some_without_area_and_crowds)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))

    objects, targets, flat = read_coco_boxes(path)
    assert objects == COCO_OBJECTS and flat == 2
    assert [target.image_id for target in targets] == list(coco.imgs)
    for target in targets:
        image = coco.imgs[target.image_id]
        assert target.file_name == image["file_name"]
        assert target.size.tolist() == [image["height"], image["width"]]

        rows = [row for row in coco.imgToAnns[target.image_id] if min(row["bbox"][2:]) > 0]
        boxes = [[x, y, x + width, y + height] for x, y, width, height in (r["bbox"] for r in rows)]
        assert target.boxes.dtype == torch.float32
        assert target.boxes.tolist() == boxes
        assert target.crowd.tolist() == [bool(row.get("iscrowd", 0)) for row in rows]
        names = [coco.cats[row["category_id"]]["name"] for row in rows]
        assert [COCO_OBJECTS[label] for label in target.labels.tolist()] == names
    assert targets[0].crowd.sum() == 1
    assert targets[-1].boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d.pop("annotations"), "COCO's instances has no key 'annotations'"),
        (lambda d: d["images"][1].pop("width"), "image 1 has no key 'width'"),
        (lambda d: d["images"][1].update(id="7"), "id of image 1 is not"),
        (lambda d: d["annotations"][2].update(bbox=[1, 2]), "bbox of annotation 2 is not"),
        (lambda d: d["annotations"][2].update(bbox=[0, 0, 1e300, 1]), "has a box with NaN"),
        (lambda d: d["annotations"][2].update(bbox=[9, 9, -1, 1]), "ends before it starts"),
        (lambda d: d["annotations"][2].update(image_id="7"), "image_id of annotation 2 is not"),
        (lambda d: d["annotations"][2].update(image_id="000007"), "image_id of annotation 2 is"),
        (lambda d: d["annotations"][2].update(image_id=7.0), "image_id is not always an integer"),
        (lambda d: d["annotations"][2].update(id=7.5), "annotation 2 has id 7.5, not an integer"),
        (lambda d: d["annotations"][2].pop("bbox"), "annotation 2 has no key 'bbox'"),
        (lambda d: d["annotations"][2].update(bbox=[]), "bbox of annotation 2 is not a list"),
        (lambda d: d["annotations"][2].update(bbox=None), "bbox of annotation 2 is not a list"),
        (lambda d: d.pop("categories"), "no key 'categories'"),
        (lambda d: d["annotations"][2].update(iscrowd=2), "annotation 2 has iscrowd 2, not an int"),
        (lambda d: d["annotations"][2].update(iscrowd="no"), "iscrowd of annotation 2 is not"),
        (lambda d: d["images"][1].update(file_name=d["images"][0]["file_name"]), "twice"),
        (lambda d: d["annotations"][2].update(image_id=8), "not listed: image_id 8"),
        (lambda d: d["annotations"][2].update(category_id=12), "category_id 12"),
    ],
)
def test_refused(fake, edited, edit, match):
    path = edited(fake / INSTANCES, edit)
    with pytest.raises(AnnotationError, match=match) as caught:
        read_coco_boxes(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert "expected COCO's instances json" in message and "rmlr-prepare vcoco" in message


def test_no_json_at_all(tmp_path):
    path = tmp_path / "boxes.json"
    with pytest.raises(AnnotationError, match="no such file"):
        read_coco_boxes(path)
    path.write_text(json.dumps([]))
    with pytest.raises(AnnotationError, match="not an object"):
        read_coco_boxes(path)


def own_names(document):
    """Category 2 is COCO's bicycle; here it is a robot arm."""
    names = {2: "robot arm", 1: "person"}
    document["categories"] = [{"id": number, "name": name} for number, name in names.items()]
    for row in document["annotations"]:
        row["category_id"] = 1 if row["category_id"] == 1 else 2


def test_a_file_with_names_of_its_own_keeps_them(fake, edited):
    objects, targets, _ = read_coco_boxes(edited(fake / INSTANCES, own_names))
    assert objects == ("robot arm", "person")
    assert {label for target in targets for label in target.labels.tolist()} == {0, 1}


def test_a_part_of_cocos_classes_keeps_cocos_order(fake, edited):
    path = edited(fake / INSTANCES, lambda d: d.update(categories=d["categories"][::-1][:80]))
    assert read_coco_boxes(path).objects == COCO_OBJECTS


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d["categories"][0].update(id=1), "holds id 1 twice"),
        (lambda d: d["categories"][0].update(name="person"), "holds 'person' twice"),
        (lambda d: d["categories"][1].update(name=7), "'name' of entry of 'categories', 1 is 7"),
        (lambda d: d["categories"].pop(), "is of none of the"),
    ],
)
def test_contradictory_categories_are_refused(fake, edited, edit, match):
    def own_and_wrong(document):
        own_names(document)
        edit(document)

    with pytest.raises(AnnotationError, match=match):
        read_coco_boxes(edited(fake / INSTANCES, own_and_wrong))


@pytest.mark.fault
def test_quirks_that_are_read_right(fake, edited):
    """Gaps in the numbers, RLE, crowds, missing and further fields, folders in file names."""
    plain = read_coco_boxes(fake / INSTANCES)

    def quirks(document):
        numbers = {image["id"]: 10**9 + 7 * i for i, image in enumerate(document["images"])}
        for image in document["images"]:
            image.update(id=numbers[image["id"]], file_name=f"train/{image['file_name']}", note="x")
        for row in document["annotations"]:
            row.update(id=row["id"] * 1000, image_id=numbers[row["image_id"]], iscrowd=True)
            row["segmentation"] = {"size": [3, 3], "counts": "PP11"}
            row.pop("area", None)
        document.pop("info", None)

    found = read_coco_boxes(edited(fake / INSTANCES, quirks))
    for one, other in zip(plain.targets, found.targets, strict=True):
        assert other.boxes.equal(one.boxes) and other.labels.equal(one.labels)
        assert other.file_name == f"train/{one.file_name}" and other.crowd.all()


@pytest.mark.fault
def test_names_decide_in_cocos_own_classes_too(fake, edited):
    """Classes numbered 0 to 79, as converters write them, are read by name."""

    def renumbered(document):
        place = {category["id"]: i for i, category in enumerate(document["categories"])}
        for category in document["categories"]:
            category["id"] = place[category["id"]]
        for row in document["annotations"]:
            row["category_id"] = place[row["category_id"]]

    def names(read):
        return [[read.objects[label] for label in t.labels.tolist()] for t in read.targets]

    path = edited(fake / INSTANCES, renumbered)
    assert names(read_coco_boxes(path)) == names(read_coco_boxes(fake / INSTANCES))
    of_numbers = read_vcoco(fake / "vcoco_test.json", instances=path)
    expected = read_vcoco(fake / "vcoco_test.json", instances=fake / INSTANCES)
    for one, other in zip(of_numbers.targets, expected.targets, strict=True):
        assert one.objects.equal(other.objects) and one.hois.equal(other.hois)


@pytest.mark.fault
def test_vcoco_with_classes_that_coco_lacks_is_refused(fake, edited):
    path = edited(fake / INSTANCES, own_names)
    with pytest.raises(AnnotationError, match="a category that COCO lacks, such as 'robot arm'"):
        read_vcoco(fake / "vcoco_test.json", instances=path)
