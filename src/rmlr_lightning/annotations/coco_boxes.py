"""Boxes of COCO's instances json, to train and evaluate a detector."""

from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rmlr_lightning.annotations.categories import category_names
from rmlr_lightning.annotations.coco_instances import checked_instances
from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.types import BoxTarget
from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_INDEX_OF_CATEGORY, COCO_OBJECTS

_EXPECTED = "COCO's instances json (images, annotations, categories)"
_HINT = (
    "V-COCO's instances_vcoco_all_2014.json is made by `rmlr-prepare vcoco`, files of your own by "
    "`rmlr-prepare custom`"
)


class BoxAnnotations(NamedTuple):
    """Annotated boxes of a file."""

    objects: tuple[str, ...]  # names of the classes that labels are indices into
    targets: list[BoxTarget]  # one per image
    flat: int  # boxes without area, which are left out


def is_instances(document: Any) -> bool:
    """Whether a parsed file has COCO's layout of boxes."""
    return isinstance(document, dict) and {"images", "annotations"} <= document.keys()


def read_coco_boxes(path: str | PathLike[str]) -> BoxAnnotations:
    """One target per image, in the order of the file; boxes without area are left out.

    Boxes are float32 xyxy in continuous 0-based pixels. Images without boxes are included. The
    classes are COCO's 80 if the file's `categories` are these, by name and number, or else those
    of its `categories`, in their order.

    Raises:
        AnnotationError: the file is missing, broken, of another layout, or contradicts itself.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    document = file.json()
    objects, index_of = _classes(file, document)
    coco = checked_instances(file, document, index_of)
    # an image that is listed twice would be trained on with a part of its boxes as background
    file.check_names([image["file_name"] for image in coco["images"]], "file_name of 'images'")

    # images without annotations keep an empty list: a detector is evaluated on them, too
    by_image: dict[int, list[dict]] = {image["id"]: [] for image in coco["images"]}
    flat = 0
    for entity in coco["annotations"]:
        _, _, width, height = entity["bbox"]
        if width > 0 and height > 0:
            by_image[entity["image_id"]].append(entity)
        else:
            flat += 1

    targets = []
    for image in coco["images"]:
        entities = by_image[image["id"]]
        boxes = torch.tensor([e["bbox"] for e in entities], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = [index_of[entity["category_id"]] for entity in entities]
        crowd = [bool(entity.get("iscrowd", 0)) for entity in entities]
        targets.append(
            BoxTarget(
                image["file_name"],
                image["id"],
                torch.tensor([image["height"], image["width"]]),
                boxes,
                torch.tensor(labels, dtype=torch.long),
                torch.tensor(crowd, dtype=torch.bool),
            )
        )
    return BoxAnnotations(objects, targets, flat)


def _classes(file: AnnotationFile, document: Any) -> tuple[tuple[str, ...], dict[int, int]]:
    """Names of the classes, and the index of each category id."""
    name_of = category_names(file, document)
    # A part of COCO's classes keeps COCO's order, so that such files can be used together.
    of_coco = {COCO_CATEGORY_IDS[index]: name for index, name in enumerate(COCO_OBJECTS)}
    if all(of_coco.get(number) == name for number, name in name_of.items()):
        return COCO_OBJECTS, COCO_INDEX_OF_CATEGORY
    # as the file lists them, not by their numbers
    ids = [category["id"] for category in document["categories"]]
    return tuple(name_of[number] for number in ids), {number: i for i, number in enumerate(ids)}
