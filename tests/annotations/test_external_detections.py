import json
from pathlib import Path

import pytest

from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import Vocabulary, hicodet

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
    ],
)
def test_errors_name_file_row_and_format(tmp_path, rows, message):
    path = written(tmp_path, rows)
    with pytest.raises(UserError, match=message) as caught:
        read_external_detections(path, IMAGES, hicodet())
    error = str(caught.value)
    assert error.startswith(f"{path}: ") and "\n" not in error
    assert "expected a list of {image_id, category_id, bbox, score}" in error


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
