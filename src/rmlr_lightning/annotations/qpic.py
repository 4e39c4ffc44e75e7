"""QPIC's annotation layout (after PPDM), which HICO-DET and V-COCO share.

A list with one record an image: {file_name, img_id (HICO-DET only), annotations: [{bbox (xyxy), category_id (COCO's)}],
hoi_annotation: [{subject_id, object_id (index into annotations, -1 = none), category_id (the verb)}]}. Neither image
sizes nor a vocabulary are in it; `hoi_category_id` repeats what verb and object say and is not read, as in QPIC.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.columns import boxes_of, integers_of, lists_of, members_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import Pictures, Rows, image_ids
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY

_INDEX = np.full(max(COCO_INDEX_OF_CATEGORY) + 1, -1)
_INDEX[list(COCO_INDEX_OF_CATEGORY)] = list(COCO_INDEX_OF_CATEGORY.values())


class QPICContent(NamedTuple):
    pictures: Pictures
    rows: Rows  # boxes as in the file; verbs are the file's category ids


def read_qpic(file: AnnotationFile, records: list, verbs: range, empty_roles: bool) -> QPICContent:
    """Read parsed records.

    Args:
        verbs: the category ids that verbs may have.
        empty_roles: whether object_id may be -1.

    Raises:
        AnnotationError: anything else than the layout above, or indices that point at nothing.
    """
    names = [
        file.member(record, "file_name", str, f"record {i}") for i, record in enumerate(records)
    ]
    file.check_names(names, "file_name")
    annotations = lists_of(file, records, "annotations", names)
    categories = _entity_objects(file, members_of(file, annotations, "category_id", names), names)
    boxes = boxes_of(file, members_of(file, annotations, "bbox", names), names, "bbox")

    triplets = lists_of(file, records, "hoi_annotation", names)
    column = {
        key: members_of(file, triplets, key, names)
        for key in ("subject_id", "object_id", "category_id")
    }
    image = np.repeat(np.arange(len(names)), [len(t) for t in triplets])
    entities = np.array([len(a) for a in annotations], dtype=np.int64)
    offset, most = np.cumsum(entities) - entities, int(entities.max(initial=0))
    human = integers_of(file, column["subject_id"], names, "subject_id", 0, most)
    obj = integers_of(file, column["object_id"], names, "object_id", -1 if empty_roles else 0, most)
    for key, index in (("subject_id", human), ("object_id", obj)):
        beyond = np.flatnonzero(index >= entities[image])
        if len(beyond):
            i = image[beyond[0]]
            raise file.error(
                f"image {shown(names[i])} has {key} {index[beyond[0]]} but {entities[i]} annotations"
            )
    verb = integers_of(
        file, column["category_id"], names, "verb category_id", verbs.start, verbs.stop
    )

    empty = obj < 0
    boxes_o, objects = np.full((len(obj), 4), np.nan), np.full(len(obj), -1)
    at = (offset[image] + obj)[~empty]
    boxes_o[~empty], objects[~empty] = boxes[at], categories[at]
    pictures = Pictures(
        names, _ids(file, records, names), np.zeros((len(names), 2), dtype=np.int64)
    )
    return QPICContent(pictures, Rows(image, boxes[offset[image] + human], boxes_o, objects, verb))


def _entity_objects(file: AnnotationFile, lists: list[list], names: list[str]) -> np.ndarray:
    categories = integers_of(file, lists, names, "object category_id", 1, len(_INDEX))
    objects = _INDEX[categories]
    if (objects < 0).any():
        raise file.error(
            f"object category_id {categories[objects < 0][0]} is none of COCO's 80 categories"
        )
    return objects


def _ids(file: AnnotationFile, records: list, names: list[str]) -> list[int]:
    if not all("img_id" in record for record in records):
        return image_ids(names)
    ids = integers_of(
        file, [[record["img_id"]] for record in records], names, "img_id", 0, 2**53
    ).tolist()
    return ids if len(set(ids)) == len(ids) else image_ids(names)
