"""UPT's `instances_vcoco_*.json` of V-COCO, which also holds the vocabulary.

Keys: `annotations` (per image file_name, boxes_h, boxes_o, actions, objects), `images` (the COCO
ids), `classes` ("hold obj"), `objects` (with "background" first), `action_to_object` (per class
the valid objects). A row whose object is the background has an empty role.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.columns import LARGEST_ID, integers_of
from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.annotations.rows import ImageList, Rows, unknown_sizes
from rmlr_lightning.annotations.upt import object_indices, upt_rows
from rmlr_lightning.vocabulary import Vocabulary


class UPTContent(NamedTuple):
    """Content of the file; boxes are continuous."""

    vocabulary: Vocabulary  # hois by class, then by COCO index
    images: ImageList
    rows: Rows


def read_upt(file: AnnotationFile, document: dict) -> UPTContent:
    """Read the parsed document.

    Raises:
        AnnotationError: keys missing, lengths that disagree, indices out of range, or unknown
            object classes.
    """
    records = file.member(document, "annotations", list)
    names = [
        file.member(record, "file_name", str, f"annotation {i}") for i, record in enumerate(records)
    ]
    file.check_names(names, "file_name")
    classes = file.names(document, "classes")
    objects = object_indices(file, document, background=True)

    rows = upt_rows(
        file,
        records,
        names,
        verb_key="actions",
        object_key="objects",
        objects=objects,
        num_verbs=len(classes),
    )
    images = ImageList(names, _image_ids(file, document, len(names)), unknown_sizes(len(names)))
    return UPTContent(_vocabulary(file, document, classes, objects), images, rows)


def _image_ids(file: AnnotationFile, document: dict, count: int) -> list[int]:
    listed = file.member(document, "images", list)
    # distinct: metrics look the annotations up by id
    ids = integers_of(file, [listed], ["images"], "id", 0, LARGEST_ID, noun="key").tolist()
    if len(ids) != count or len(set(ids)) < len(ids):
        raise file.error(f"'images' is not a list of {count} different ids, one per annotation")
    return ids


def _vocabulary(
    file: AnnotationFile, document: dict, classes: list[str], objects: np.ndarray
) -> Vocabulary:
    valid = file.member(document, "action_to_object", list)
    if len(valid) != len(classes) or not all(isinstance(of_class, list) for of_class in valid):
        raise file.error(f"'action_to_object' is not a list of {len(classes)} lists, one per class")

    index = integers_of(file, valid, classes, "action_to_object", 0, len(objects), noun="class")
    verbs = np.repeat(np.arange(len(classes)), [len(of_class) for of_class in valid])
    pairs = set(zip(verbs.tolist(), objects[index].tolist(), strict=True))
    # the background is a valid object in the file, but not a class
    hois = sorted((verb, obj) for verb, obj in pairs if obj >= 0)
    return Vocabulary(tuple(classes), tuple(hois), rare=frozenset())
