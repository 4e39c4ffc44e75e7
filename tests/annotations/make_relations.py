"""A tiny data set with classes of its own, in the layouts that `rmlr-prepare custom` reads."""

import json
from pathlib import Path

from tests.scenes import noise_image

WELDING = {
    "images": [
        {"id": 10, "file_name": "a.jpg", "width": 64, "height": 48},
        {"id": 11, "file_name": "b.jpg", "width": 64, "height": 48},
        {"id": 12, "file_name": "c.jpg", "width": 48, "height": 64},
        {"id": 13, "file_name": "d.jpg", "width": 64, "height": 48},
    ],
    # COCO calls category 2 bicycle: names decide
    "categories": [{"id": 2, "name": "robot arm"}, {"id": 1, "name": "worker"}],
    "annotations": [
        {"id": 1, "image_id": 10, "category_id": 1, "bbox": [2, 3, 20, 40]},
        {"id": 2, "image_id": 10, "category_id": 2, "bbox": [20.5, 3, 30, 20]},
        {"id": 3, "image_id": 11, "category_id": 2, "bbox": [1, 1, 30, 30]},
        {"id": 4, "image_id": 11, "category_id": 1, "bbox": [20, 4, 10, 40]},
        {"id": 5, "image_id": 12, "category_id": 1, "bbox": [5, 5, 30, 50]},
        {"id": 6, "image_id": 12, "category_id": 1, "bbox": [15, 5, 30, 50]},
    ],
}
RELATIONS = {
    "rel_categories": [{"id": 7, "name": "weld"}, {"id": 0, "name": "switch off"}],
    "rel_annotations": [
        {"id": 0, "image_id": 11, "subject_id": 4, "predicate_id": 0, "object_id": 3},
        {"id": 1, "image_id": 10, "subject_id": 1, "predicate_id": 7, "object_id": 2},
        {"id": 2, "image_id": 12, "subject_id": 5, "predicate_id": 7, "object_id": 6},
        {"id": 3, "image_id": 10, "subject_id": 1, "predicate_id": 0, "object_id": 2},
    ],
}
TABLE = """image,human,verb,object,split
a.jpg,1,weld,2,train
a.jpg,1,switch off,2,train
b.jpg,4,switch off,3,test
c.jpg,5,weld,6,val
d.jpg,,,,train
"""


def write_images(folder: Path) -> None:
    """The images that the boxes are of."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in WELDING["images"]:
        size = (image["width"], image["height"])
        noise_image(*size, 60).convert("RGB").save(folder / image["file_name"])


def write_custom(folder: Path) -> Path:
    """boxes.json, triplets.csv and images, as docs/DATA.md has them."""
    write_images(folder / "images")
    (folder / "boxes.json").write_text(json.dumps(WELDING))
    (folder / "triplets.csv").write_text(TABLE)
    return folder
