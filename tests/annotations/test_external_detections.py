import json
from pathlib import Path

import pytest

from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.errors import UserError

PICTURES = [Path("a/COCO_val2014_000000000294.jpg"), Path("a/cat.png")]
ROW = {"image_id": 294, "category_id": 18, "bbox": [10, 20, 30, 40], "score": 0.5}


def written(tmp_path, rows):
    path = tmp_path / "boxes.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return path


def test_rows_find_their_picture_by_number_stem_or_name(tmp_path):
    rows = [ROW, ROW | {"image_id": "cat"}, ROW | {"image_id": "cat.png"}, ROW | {"image_id": 7}]
    found = read_external_detections(written(tmp_path, rows), PICTURES)
    assert [len(found[picture].scores) for picture in PICTURES] == [1, 2]
    entities = found[PICTURES[0]].entities(100, 200)
    assert entities.boxes.tolist() == [[pytest.approx(v) for v in (0.1, 0.1, 0.4, 0.3)]]
    assert entities.labels.tolist() == [16]  # COCO category 18 is the dog, index 16


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("{", "not JSON"),
        ({}, "expected a list"),
        ([{"image_id": 294}], "row 0 lacks"),
        ([ROW | {"bbox": [1, 2, 3]}], "expected \\[x, y, width, height\\]"),
        ([ROW | {"bbox": [1, 2, -3, 4]}], "expected \\[x, y, width, height\\]"),
        ([ROW | {"score": 1.5}], "expected 0 to 1"),
        ([ROW | {"score": "high"}], "row 0 lacks or garbles"),
        ([ROW | {"category_id": 12}], "none of COCO's 80"),
        ([ROW | {"image_id": 5}], "none of its image_id"),
    ],
)
def test_bad_files_are_named_with_row_and_way_out(tmp_path, rows, said):
    path = written(tmp_path, rows)
    with pytest.raises(UserError, match=said) as caught:
        read_external_detections(path, PICTURES)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_real_detections_fit_the_real_photographs(shared):
    pictures = sorted((shared / "data" / "real_images" / "images").glob("*.jpg"))
    found = read_external_detections(
        shared / "data" / "real_images" / "detections_yolox_nano.json", pictures
    )
    assert sum(len(boxes.scores) for boxes in found.values()) == 179
    assert all(boxes.scores for boxes in found.values())
