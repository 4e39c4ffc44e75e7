"""UPT's `instances_vcoco_*.json` of V-COCO, the layout that brings its own vocabulary.

Keys: `annotations` (for each image file_name, boxes_h, boxes_o, actions, objects), `images` (the COCO ids),
`classes` ("hold obj"), `objects` (with "background" first), `action_to_object` (for each class the objects it may
have). A row whose object is the background has an empty role.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.columns import boxes_of, counts_of, integers_of, lists_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import Pictures, Rows
from rmlr_lightning.vocabulary import COCO_INDEX, Vocabulary


class UPTContent(NamedTuple):
    vocabulary: Vocabulary  # hois by class, then by COCO index
    pictures: Pictures
    rows: Rows


def read_upt(file: AnnotationFile, document: dict) -> UPTContent:
    """Read the parsed document.

    Raises:
        AnnotationError: keys missing, lengths that disagree, indices out of range, unknown object classes.
    """
    records = file.member(document, "annotations", list)
    names = [
        file.member(record, "file_name", str, f"annotation {i}") for i, record in enumerate(records)
    ]
    file.check_names(names, "file_name")
    classes = file.names(document, "classes")
    objects = _coco_indices(file, file.names(document, "objects"))

    column = {
        key: lists_of(file, records, key, names)
        for key in ("boxes_h", "boxes_o", "actions", "objects")
    }
    counts = counts_of(file, column, names)
    rows = Rows(
        image=np.repeat(np.arange(len(names)), counts),
        boxes_h=boxes_of(file, column["boxes_h"], names, "boxes_h"),
        boxes_o=boxes_of(file, column["boxes_o"], names, "boxes_o"),
        objects=objects[integers_of(file, column["objects"], names, "object", 0, len(objects))],
        verbs=integers_of(file, column["actions"], names, "action", 0, len(classes)),
    )
    ids = integers_of(
        file, [file.member(document, "images", list)], ["images"], "id", 0, 2**53, noun="key"
    ).tolist()
    if len(ids) != len(names) or len(set(ids)) < len(ids):
        raise file.error(f"'images' is not a list of {len(names)} different ids, one an annotation")
    pictures = Pictures(names, ids, np.zeros((len(names), 2), dtype=np.int64))
    return UPTContent(_vocabulary(file, document, classes, objects), pictures, rows)


def _coco_indices(file: AnnotationFile, names: list[str]) -> np.ndarray:
    unknown = [name for name in names if name not in COCO_INDEX and name != "background"]
    if unknown:
        raise file.error(f"'objects' holds {shown(unknown[0])}, none of COCO's 80 classes")
    return np.array([COCO_INDEX.get(name, -1) for name in names], dtype=np.int64)


def _vocabulary(
    file: AnnotationFile, document: dict, classes: list[str], objects: np.ndarray
) -> Vocabulary:
    allowed = file.member(document, "action_to_object", list)
    if len(allowed) != len(classes) or not all(isinstance(of_class, list) for of_class in allowed):
        raise file.error(f"'action_to_object' is not a list of {len(classes)} lists, one a class")
    flat = objects[
        integers_of(file, allowed, classes, "action_to_object", 0, len(objects), noun="class")
    ]
    verbs = np.repeat(np.arange(len(classes)), [len(of_class) for of_class in allowed])
    pairs = {
        (verb, obj) for verb, obj in zip(verbs.tolist(), flat.tolist(), strict=True) if obj >= 0
    }
    return Vocabulary(tuple(classes), tuple(sorted(pairs)), rare=frozenset())
