import json
from pathlib import Path

import pytest

from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import Vocabulary, hicodet
from tests.page_commands import ROOT

IMAGES = [Path("a/COCO_val2014_000000000294.jpg"), Path("a/cat.png")]
ROW = {"image_id": 294, "category_id": 18, "bbox": [10, 20, 30, 40], "score": 0.5}


def written(tmp_path, rows):
    path = tmp_path / "boxes.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return path


def test_rows_belong_to_images_by_number_stem_or_name(tmp_path):
    rows = [ROW, ROW | {"image_id": "cat"}, ROW | {"image_id": "cat.png"}, ROW | {"image_id": 7}]
    found = read_external_detections(written(tmp_path, rows), IMAGES, hicodet())
    assert [len(found[image].scores) for image in IMAGES] == [1, 2]
    entities = found[IMAGES[0]].entities(100, 200)
    assert entities.boxes.tolist() == [[pytest.approx(v) for v in (0.1, 0.1, 0.4, 0.3)]]
    assert entities.labels.tolist() == [16]  # COCO category 18 is the dog, index 16


@pytest.mark.fault
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{", "broken or truncated JSON"),
        ("", "the file is empty"),
        ({}, "a dict of 0, not a list"),
        ([3], "row 0 is 3, not an object"),
        ([ROW, {"image_id": 294}], "row 1 has no key 'category_id'"),
        ([ROW, ROW | {"bbox": [1, 2, 3]}], "bbox of row 1 is not a list of boxes of four"),
        ([ROW | {"bbox": [1, 2, -3, 4]}], "row 0 has the bbox .*, not a box"),
        ([ROW | {"bbox": [1, 2, float("nan"), 4]}], "row 0 has the bbox .*, not a box"),
        ([ROW, ROW | {"score": 1.5}], "row 1 has score 1.5, not in 0..1"),
        ([ROW, ROW | {"score": "high"}], "score of row 1 is not a number"),
        ([ROW | {"category_id": 12}], "row 0 has category_id 12, none of COCO's 80"),
        ([ROW | {"category_id": 91}], "row 0 has category_id 91, not an integer in 1..90"),
        ([ROW | {"image_id": 5}], "none of its image_id"),
        ([ROW | {"image_id": [294]}], "row 0 has image_id a list of 1, not a name or a number"),
        ([ROW | {"image_id": True}], "row 0 has image_id True"),
        ([ROW | {"score": float("nan")}], "row 0 has score nan, not in 0..1"),
        ([ROW | {"bbox": [0.1, 0.2, 0.3, 0.4]}], "relative to the image"),
    ],
)
def test_errors_name_file_row_and_format(tmp_path, rows, message):
    path = written(tmp_path, rows)
    with pytest.raises(UserError, match=message) as caught:
        read_external_detections(path, IMAGES, hicodet())
    error = str(caught.value)
    assert error.startswith(f"{path}: ") and "\n" not in error
    assert error.endswith("; expected COCO's results format; docs/DEPLOY.md describes it")
    page = (ROOT / "docs" / "DEPLOY.md").read_text()
    assert "COCO's results format" in page and all(f"`{key}`" in page for key in ROW)


def test_the_real_detections_fit_the_real_photographs(shared):
    images = sorted((shared / "data" / "real_images" / "images").glob("*.jpg"))
    found = read_external_detections(
        shared / "data" / "real_images" / "detections_yolox_nano.json", images, hicodet()
    )
    assert sum(len(boxes.scores) for boxes in found.values()) == 179
    assert all(boxes.scores for boxes in found.values())


def test_other_vocabularies_are_read_by_name(tmp_path):
    vocabulary = Vocabulary(("weld",), ((0, 1),), frozenset(), ("person", "robot arm"))
    row = {"image_id": 294, "bbox": [10, 20, 30, 40], "score": 0.5}
    rows = [row | {"category": name} for name in ("robot arm", "kite", "person")]
    found = read_external_detections(written(tmp_path, rows), IMAGES, vocabulary)
    assert found[IMAGES[0]].labels == [1, 0]


@pytest.mark.fault
def test_numbers_as_text_zero_padded_or_floating_are_the_numbers(tmp_path):
    rows = [ROW | {"image_id": key} for key in ("294", "000000000294", 294.0, "0294", "2.94")]
    found = read_external_detections(written(tmp_path, rows), IMAGES, hicodet())
    assert found[IMAGES[0]].rows == [0, 1, 2, 3]


@pytest.mark.fault
def test_a_number_that_two_images_end_in_is_not_guessed(tmp_path):
    images = [Path("a_0007.jpg"), Path("b_0007.jpg")]
    path = written(tmp_path, [ROW | {"image_id": "a_0007"}, ROW | {"image_id": 7}])
    with pytest.raises(UserError, match=r"row 1 has image_id 7, which fits a_0007.jpg and b_0007"):
        read_external_detections(path, images, hicodet())


@pytest.mark.fault
@pytest.mark.parametrize(
    ("box", "match"),
    [
        ([90, 90, 180, 170], r"row 1 .* likely its numbers are x1, y1, x2, y2"),
        ([900, 900, 50, 50], r"row 1 has the bbox .900.*, outside its image of 200 x 180 pixels"),
        ([-80, 20, 90, 40], r"row 1 has the bbox .-80"),
    ],
)
def test_boxes_far_outside_are_refused_when_the_image_is_known(box, match, tmp_path):
    path = written(tmp_path, [ROW, ROW | {"bbox": box}])
    found = read_external_detections(path, IMAGES, hicodet())
    with pytest.raises(UserError, match=match) as caught:
        found[IMAGES[0]].entities(200, 180)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_detections_may_end_outside_and_are_clipped(tmp_path):
    rows = [ROW | {"bbox": box} for box in ([-10, 0, 60, 60], [190, 100, 14, 30], [5, 5, 0, 9])]
    found = read_external_detections(written(tmp_path, rows), IMAGES, hicodet())
    boxes = found[IMAGES[0]].entities(200, 180).boxes
    assert boxes.shape == (3, 4) and boxes.min() == 0 and boxes.max() == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    ("name", "label"), [("Dining_Table", 60), ("motorbike", 3), ("tvmonitor", 62), ("lathe", None)]
)
def test_other_spellings_of_cocos_classes_are_not_left_out(name, label, tmp_path):
    rows = [ROW | {"category": "person"}, ROW | {"category": name}]
    found = read_external_detections(written(tmp_path, rows), IMAGES, hicodet())
    assert found[IMAGES[0]].labels == ([0] if label is None else [0, label])


@pytest.mark.fault
def test_rows_of_other_classes_are_left_out_with_a_note(tmp_path, capsys):
    rows = [ROW | {"category": name} for name in ("dog", "lathe", "lathe", "anvil")]
    path = written(tmp_path, rows)
    found = read_external_detections(path, IMAGES, hicodet())
    assert found[IMAGES[0]].labels == [16]
    assert capsys.readouterr().err == (
        f"note: {path}: 3 of 4 rows are left out: their categories, such as 'lathe', are no class "
        "of the data set\n"
    )


@pytest.mark.fault
def test_names_decide_before_numbers(tmp_path):
    """A detector of COCO's classes with numbers of its own, and the names beside them."""
    row = ROW | {"category_id": 1, "category": "dog"}
    found = read_external_detections(written(tmp_path, [row]), IMAGES, hicodet())
    assert found[IMAGES[0]].labels == [16]
    with pytest.raises(UserError, match="none of its categories, such as 'lathe', is one of"):
        read_external_detections(
            written(tmp_path, [row | {"category": "lathe"}]), IMAGES, hicodet()
        )
