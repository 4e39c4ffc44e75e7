"""QPIC's annotation layout (after PPDM), used for HICO-DET and V-COCO.

A list with one record per image: {file_name, img_id (HICO-DET only), annotations: [{bbox (xyxy),
category_id (COCO's)}], hoi_annotation: [{subject_id, object_id (index into annotations, -1 =
none), category_id (the verb)}]}. It holds neither image sizes nor a vocabulary.
`hoi_category_id` is redundant and not read, as in QPIC.
"""

import numpy as np

from rmlr_lightning.annotations.boxes import Column, check_boxes
from rmlr_lightning.annotations.columns import (
    LARGEST_ID,
    boxes_of,
    integers_of,
    lists_of,
    members_of,
)
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import ImageList, Rows, image_ids, unknown_sizes
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY

# COCO's category id -> COCO index, -1 in the gaps of the ids
_INDEX = np.full(max(COCO_INDEX_OF_CATEGORY) + 1, -1)
_INDEX[list(COCO_INDEX_OF_CATEGORY)] = list(COCO_INDEX_OF_CATEGORY.values())


def read_qpic(
    file: AnnotationFile, records: list, verb_ids: range, empty_roles: bool
) -> tuple[ImageList, Rows]:
    """Read the parsed records.

    Args:
        verb_ids: the valid category ids of verbs.
        empty_roles: whether object_id may be -1.

    Returns:
        The images and their rows: boxes as in the file, verbs are the file's category ids.

    Raises:
        AnnotationError: another layout, or indices out of range.
    """
    names = [
        file.member(record, "file_name", str, f"record {i}") for i, record in enumerate(records)
    ]
    file.check_names(names, "file_name")

    # the entities of all images, one after the other
    entities = lists_of(file, records, "annotations", names)
    entity_objects = _entity_objects(file, members_of(file, entities, "category_id", names), names)
    entity_boxes = boxes_of(file, members_of(file, entities, "bbox", names), names, "bbox")
    _check_entities(file, names, entities, entity_boxes)
    num_entities = np.array([len(of_image) for of_image in entities], dtype=np.int64)
    first_entity = np.cumsum(num_entities) - num_entities

    triplets = lists_of(file, records, "hoi_annotation", names)
    image = np.repeat(np.arange(len(names)), [len(of_image) for of_image in triplets])

    def column(key: str, what: str, low: int, high: int) -> np.ndarray:
        return integers_of(file, members_of(file, triplets, key, names), names, what, low, high)

    # bounds of the whole file first, of each image after that
    limit = int(num_entities.max(initial=0))
    human = column("subject_id", "subject_id", 0, limit)
    obj = column("object_id", "object_id", -1 if empty_roles else 0, limit)
    verb = column("category_id", "verb category_id", verb_ids.start, verb_ids.stop)
    _check_indices(file, names, image, num_entities, {"subject_id": human, "object_id": obj})

    # empty roles keep NaN and -1
    there = obj >= 0
    boxes_o = np.full((len(obj), 4), np.nan)
    objects = np.full(len(obj), -1)
    entity = (first_entity[image] + obj)[there]
    boxes_o[there] = entity_boxes[entity]
    objects[there] = entity_objects[entity]
    boxes_h = entity_boxes[first_entity[image] + human]

    images = ImageList(names, _ids(file, records, names), unknown_sizes(len(names)))
    return images, Rows(image, boxes_h, boxes_o, objects, verb)


def _check_entities(
    file: AnnotationFile, names: list[str], entities: list[list], boxes: np.ndarray
) -> None:
    """Boxes that no interaction has are checked, too: they show the convention as well."""
    counts = [len(of_image) for of_image in entities]
    image, first = np.repeat(np.arange(len(names)), counts), np.cumsum(counts) - counts

    def name_of(row: int) -> str:
        return f"image {shown(names[image[row]])}, bbox of annotation {row - first[image[row]]},"

    check_boxes(file, Column(boxes, np.zeros((len(boxes), 2)), name_of))


def _check_indices(
    file: AnnotationFile,
    names: list[str],
    image: np.ndarray,
    num_entities: np.ndarray,
    columns: dict[str, np.ndarray],
) -> None:
    """An index of one image must not reach into the entities of the next."""
    for key, index in columns.items():
        beyond = np.flatnonzero(index >= num_entities[image])
        if len(beyond):
            i = image[beyond[0]]
            raise file.error(
                f"image {shown(names[i])} has {key} {index[beyond[0]]} but {num_entities[i]} "
                "annotations"
            )


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
    listed = [[record["img_id"]] for record in records]
    ids = integers_of(file, listed, names, "img_id", 0, LARGEST_ID).tolist()
    # an image id must be unique; otherwise the file names decide
    return ids if len(set(ids)) == len(ids) else image_ids(names)
