"""Boxes in another convention are refused by every reader; file, row and convention are named."""

import json
import shutil

import numpy as np
import pytest

from rmlr_lightning.annotations.boxes import (
    MANY,
    XYWH,
    XYXY,
    Column,
    check_boxes,
    xyxy_of,
)
from rmlr_lightning.annotations.coco_boxes import read_coco_boxes
from rmlr_lightning.annotations.file import AnnotationError, AnnotationFile
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.annotations.relations import read_relations
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.preparation.custom_files import read_custom
from tests.annotations.make_relations import RELATIONS, WELDING, write_custom

pytestmark = pytest.mark.fault
INSTANCES = "instances_vcoco_all_2014.json"


def xywh(box):
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def xyxy(box):
    return [box[0], box[1], box[0] + box[2], box[1] + box[3]]


def map_boxes(document, change):
    """Change every list of four numbers under a key of boxes, at any depth."""
    if isinstance(document, list):
        for member in document:
            map_boxes(member, change)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key == "bbox":
                document[key] = change(value)
            elif key in ("boxes_h", "boxes_o"):
                document[key] = [change(box) for box in value]
            else:
                map_boxes(value, change)


@pytest.fixture
def files(fake, tmp_path):
    """Every layout in a folder of its own, to be changed."""
    for name in ("instances_test2015.json", "test_hico.json", "test_vcoco.json", INSTANCES):
        shutil.copy(fake / name, tmp_path)
    for name in ("instances_vcoco_test.json", "vcoco_test.json"):
        shutil.copy(fake / name, tmp_path)
    (tmp_path / "relations.json").write_text(json.dumps(WELDING | RELATIONS))
    write_custom(tmp_path / "welding")
    return tmp_path


READERS = {
    "instances_test2015.json": (XYXY, read_hicodet),
    "test_hico.json": (XYXY, read_hicodet),
    "test_vcoco.json": (XYXY, read_vcoco),
    "instances_vcoco_test.json": (XYXY, read_vcoco),
    INSTANCES: (
        XYWH,
        lambda path: read_vcoco(path.parent / "vcoco_test.json", instances=path),
    ),
    "relations.json": (XYWH, read_relations),
    "welding/boxes.json": (XYWH, lambda path: read_custom(path.parent)),
}


def refused(files, name, change):
    path = files / name
    document = json.loads(path.read_bytes())
    map_boxes(document, change)
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError) as caught:
        READERS[name][1](path)
    message = str(caught.value)
    assert "\n" not in message and name in message
    assert "row" in message or "annotation" in message
    return message


@pytest.mark.parametrize("name", READERS)
def test_the_layouts_themselves_are_read(files, name):
    READERS[name][1](files / name)


@pytest.mark.parametrize("name", READERS)
def test_the_other_layouts_numbers(files, name):
    """x, y, width, height where corners belong, or the reverse."""
    written = READERS[name][0]
    message = refused(files, name, xywh if written == XYXY else xyxy)
    other = XYWH if written == XYXY else XYXY
    assert f"likely the numbers are {other}, not {written}" in message or "outside" in message


@pytest.mark.parametrize("name", READERS)
def test_relative_boxes(files, name):
    message = refused(files, name, lambda box: [value / 1000 for value in box])
    assert "likely they are relative to the image (0 to 1)" in message


@pytest.mark.parametrize("name", READERS)
def test_inverted_boxes(files, name):
    def inverted(box):
        return [box[2], box[3], box[0], box[1]]

    written = READERS[name][0]
    message = refused(
        files, name, inverted if written == XYXY else lambda box: xywh(inverted(xyxy(box)))
    )
    assert "which ends before it starts" in message


@pytest.mark.parametrize("name", READERS)
def test_one_negative_box(files, name):
    done = []

    def once(box):
        if done:
            return box
        done.append(box)
        return [-400, -300, *box[2:]]

    message = refused(files, name, once)
    assert "[-4" in message and "boxes are wrong" not in message.partition(";")[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_numbers_that_the_model_does_not_hold(files, value):
    for name in ("instances_test2015.json", INSTANCES):
        message = refused(files, name, lambda box: [*box[:2], value, box[3]])
        assert "NaN or infinite" in message


def test_a_size_with_width_and_height_swapped(files):
    path = files / "relations.json"
    document = json.loads(path.read_text())
    for image in document["images"]:
        image["width"], image["height"] = image["height"], image["width"]
    document["annotations"][1]["bbox"] = [20, 3, 43, 20]  # to the right end of 64 x 48 pixels
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match="width and height of the image are swapped"):
        read_relations(path)


def test_a_detectors_boxes_are_checked_too(files):
    path = files / INSTANCES
    document = json.loads(path.read_bytes())
    map_boxes(document, xyxy)
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match=r"annotation \d+ of image '.*' has the box"):
        read_coco_boxes(path)


# --- the rule itself --------------------------------------------------------------------------

FILE = AnnotationFile("boxes.json", "boxes", "see the docs")


def check(boxes, size=(100, 200), written=XYXY):
    boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    sizes = np.tile(np.array(size, dtype=np.float64), (len(boxes), 1))
    check_boxes(FILE, Column(boxes, sizes, lambda row: f"row {row}", written))


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ([0, 0, 200, 100], (100, 200)),
        ([-2, -2, 202, 102], (100, 200)),  # published boxes end a pixel outside
        ([-9, 0, 1009, 100], (100, 1000)),  # 1 % of a large image
        ([5, 5, 5, 9], (100, 200)),  # without area
        ([0, 0, 9999, 9999], (0, 0)),  # of an image of unknown size
        ([0, 0, 1, 1], (4, 4)),
    ],
)
def test_what_is_real_is_tolerated(box, size):
    check([box, [3, 3, 4, 4]], size)


@pytest.mark.parametrize(
    ("box", "size", "match"),
    [
        ([0, 0, 203, 50], (100, 200), "row 1 has the box .0, 0, 203, 50.*outside its image of 200"),
        ([-3, 0, 50, 50], (100, 200), "outside its image"),
        ([-3, 0, 50, 50], (0, 0), "negative coordinates"),
        ([9, 0, 8, 50], (0, 0), "ends before it starts"),
        ([0.1, 0.1, 0.9, 0.9], (0, 0), "first pixels; likely they are relative"),
        ([1, 1, 1, 1], (100, 200), "first pixels"),
    ],
)
def test_what_is_not(box, size, match):
    with pytest.raises(AnnotationError, match=match):
        check([[3, 3, 4, 4], box], size)


def test_many_boxes_without_area_are_no_slip():
    check([[5, 5, 5, 5], [3, 3, 9, 9]])
    with pytest.raises(AnnotationError, match="a box without area, as 4 of 5 boxes have"):
        check([[5, 5, 5, 9]] * 4 + [[3, 3, 9, 9]])


def test_a_slip_in_a_very_large_file_is_tolerated_and_a_convention_is_not():
    boxes = np.tile([3.0, 3, 9, 9], (MANY, 1))
    boxes[:100, 2] = 0
    check(boxes)
    boxes[:101, 2] = 0
    with pytest.raises(AnnotationError, match="101 of 100,000 boxes are wrong"):
        check(boxes)


@pytest.mark.parametrize(
    ("numbers", "written", "likely"),
    [
        ([[60, 60, 20, 30], [10, 70, 30, 20]], XYXY, XYWH),
        ([[90, 80, 110, 99]], XYWH, XYXY),
        ([[20, 80, 30, 60]], XYXY, "x1, x2, y1, y2"),
        ([[20, 90, 180, 190]], XYXY, "y1, y2, x1, x2"),
        ([[90, 70, 50, 30]], XYXY, "x2, y2, x1, y1"),
        ([[190, 50, 18, 90]], XYWH, "centre x, centre y, width, height"),
    ],
)
def test_the_likely_convention(numbers, written, likely):
    boxes = xyxy_of(np.array(numbers, dtype=np.float64), written)
    with pytest.raises(AnnotationError, match=f"likely the numbers are {likely}, not {written}"):
        check(boxes, written=written)


def test_conversions_agree_with_their_names():
    box = np.array([[10.0, 20, 40, 80]])
    for name, numbers in {
        XYXY: [10, 20, 40, 80],
        XYWH: [10, 20, 30, 60],
        "x2, y2, x1, y1": [40, 80, 10, 20],
        "x1, x2, y1, y2": [10, 40, 20, 80],
        "y1, y2, x1, x2": [20, 80, 10, 40],
        "centre x, centre y, width, height": [25, 50, 30, 60],
    }.items():
        assert xyxy_of(np.array([numbers], dtype=np.float64), name).tolist() == box.tolist()
