"""COCO's instances json and V-COCO's lists of image ids, checked once so that later readers can trust them."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rmlr_lightning.annotations.columns import boxes_of, integers_of, members_of
from rmlr_lightning.annotations.file import AnnotationError, AnnotationFile
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY

LARGEST_ID = 2**53  # the largest that every JSON reader keeps exact

_INSTANCES = "COCO's instances json (images, annotations, categories)"
_INSTANCES_SOURCE = "get annotations_trainval2014.zip from https://cocodataset.org"
_IDS = "COCO image ids, one on each line as in V-COCO's splits/vcoco_*.ids"
_IDS_SOURCE = "get them from https://github.com/s-gupta/v-coco"


def read_instances(path: str | PathLike[str]) -> dict:
    """COCO's instances json, checked: different integer ids, sizes, boxes of four finite numbers, known categories."""
    file = AnnotationFile(Path(path), _INSTANCES, _INSTANCES_SOURCE)
    return checked_instances(file, file.json())


def read_ids(ids: str | PathLike[str] | Sequence[int]) -> list[int]:
    """Image ids out of a file or a list, checked to be different."""
    if not isinstance(ids, (str, PathLike)):
        return checked_ids(AnnotationFile(Path("ids"), _IDS, _IDS_SOURCE), list(ids))
    file = AnnotationFile(Path(ids), _IDS, _IDS_SOURCE)
    try:
        found = [int(word) for word in file.read().decode("ascii").split()]
    except AnnotationError:
        raise
    except ValueError as error:
        raise file.error(f"not a list of integers ({error})") from error
    return checked_ids(file, found)


def checked_instances(file: AnnotationFile, coco: Any) -> dict:
    """`coco` itself; raises `file`'s error where a later reader would trip."""
    records = {
        key: [file.member(coco, key, list, "COCO's instances")] for key in ("images", "annotations")
    }
    columns = {
        "images": ("id", "height", "width"),
        "annotations": ("id", "image_id", "category_id"),
    }
    for kind, keys in columns.items():
        for key in keys:
            values = members_of(file, records[kind], key, [kind], "key")
            found = integers_of(file, values, [kind], key, 0, LARGEST_ID, "key")
            if key == "id" and len(np.unique(found)) < len(found):
                raise file.error(f"{kind} holds an id twice")
            # they are looked up by value, and True is 1
            if not all(type(value) is int for value in values[0]):
                raise file.error(f"{kind} {key} is not always an integer")
    for image in coco["images"]:
        file.member(image, "file_name", str, f"image {image['id']}")
    boxes = members_of(file, records["annotations"], "bbox", ["annotations"], "key")
    boxes = boxes_of(file, boxes, ["annotations"], "bbox", "key")
    if not np.isfinite(boxes).all():
        bad = coco["annotations"][int(np.flatnonzero(~np.isfinite(boxes).all(1))[0])]["id"]
        raise file.error(f"annotation {bad} has a box with NaN or infinite coordinates")
    images = {image["id"] for image in coco["images"]}
    for entity in coco["annotations"]:
        if entity["image_id"] not in images:
            raise file.error(
                f"annotation {entity['id']} is of image {entity['image_id']}, which is not listed"
            )
        if entity["category_id"] not in COCO_INDEX_OF_CATEGORY:
            raise file.error(
                f"annotation {entity['id']} has category_id {entity['category_id']}, none of COCO's 80"
            )
    return coco


def checked_ids(file: AnnotationFile, ids: list) -> list[int]:
    """Image ids, different and at least one."""
    found = integers_of(file, [ids], ["ids"], "id", 0, LARGEST_ID, "list").tolist()
    if len(set(found)) < len(found):
        raise file.error("holds an image id twice")
    if not found:
        raise file.error("lists no images")
    return found
