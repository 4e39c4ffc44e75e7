import contextlib
import io
import json

import pytest
import torch
from pycocotools.coco import COCO

from rmlr_lightning.annotations.coco_boxes import read_coco_boxes
from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.vocabulary import COCO_OBJECTS

INSTANCES = "instances_vcoco_all_2014.json"


def some_without_area_and_crowds(document):
    document["annotations"][3]["bbox"][2] = 0
    document["annotations"][4]["bbox"][3] = -1
    document["annotations"][5]["iscrowd"] = 1
    document["annotations"][6].pop("iscrowd")
    document["images"].append({"id": 9, "file_name": "empty.jpg", "width": 5, "height": 4})


def test_boxes_as_pycocotools_reads_them(fake, edited):
    path = edited(fake / INSTANCES, some_without_area_and_crowds)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))

    objects, targets = read_coco_boxes(path)
    assert objects == COCO_OBJECTS
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
        (lambda d: d["annotations"][2].update(bbox=[0, 0, 1e300, 1]), "image 7 has a box with NaN"),
        (lambda d: d["annotations"][2].update(iscrowd=2), "image 7 has iscrowd 2"),
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
    assert "expected COCO's instances json" in message and "rmlr-prepare synthetic" in message


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
    objects, targets = read_coco_boxes(edited(fake / INSTANCES, own_names))
    assert objects == ("robot arm", "person")
    assert {label for target in targets for label in target.labels.tolist()} == {0, 1}


def test_a_part_of_cocos_classes_keeps_cocos_order(fake, edited):
    path = edited(fake / INSTANCES, lambda d: d.update(categories=d["categories"][::-1][:80]))
    assert read_coco_boxes(path).objects == COCO_OBJECTS


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d["categories"][0].update(id=1), "categories hold one id twice"),
        (lambda d: d["categories"][0].update(name="person"), "categories hold one name twice"),
        (lambda d: d["categories"][1].update(name=7), "category"),
        (lambda d: d["categories"].pop(), "is of none of the"),
    ],
)
def test_contradictory_categories_are_refused(fake, edited, edit, match):
    def own_and_wrong(document):
        own_names(document)
        edit(document)

    with pytest.raises(AnnotationError, match=match):
        read_coco_boxes(edited(fake / INSTANCES, own_and_wrong))
