"""Boxes of COCO's instances json, to train and evaluate a detector."""

from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rmlr_lightning.annotations.coco_instances import checked_instances
from rmlr_lightning.annotations.columns import LARGEST_ID, fields_of, integers_of
from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.types import BoxTarget
from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_INDEX_OF_CATEGORY, COCO_OBJECTS

_EXPECTED = "COCO's instances json (images, annotations, categories)"
_HINT = (
    "convert your boxes to COCO's format, or make the synthetic benchmark with "
    "`rmlr-prepare synthetic`"
)


class BoxAnnotations(NamedTuple):
    """Annotated boxes of a file."""

    objects: tuple[str, ...]  # names of the classes that labels are indices into
    targets: list[BoxTarget]  # one per image


def is_instances(document: Any) -> bool:
    """Whether a parsed file has COCO's layout of boxes."""
    return isinstance(document, dict) and {"images", "annotations"} <= document.keys()


def read_coco_boxes(path: str | PathLike[str]) -> BoxAnnotations:
    """One target per image, in the order of the file; boxes without area are left out.

    Boxes are float32 xyxy in continuous 0-based pixels. Images without boxes are included. The
    classes are COCO's 80 if the file has these, or else those of its `categories`, in their order.

    Raises:
        AnnotationError: the file is missing, broken, of another layout, or contradicts itself.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    document = file.json()
    objects, index_of = _classes(file, document)
    coco = checked_instances(file, document, index_of)

    # images without annotations keep an empty list: a detector is evaluated on them, too
    by_image: dict[int, list[dict]] = {image["id"]: [] for image in coco["images"]}
    for entity in coco["annotations"]:
        _, _, width, height = entity["bbox"]
        if width > 0 and height > 0:
            by_image[entity["image_id"]].append(entity)

    targets = []
    for image in coco["images"]:
        entities = by_image[image["id"]]
        boxes = torch.tensor([e["bbox"] for e in entities], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        # the reader has checked the file's numbers, but float32 ends earlier
        if not boxes.isfinite().all():
            raise file.error(f"image {image['id']} has a box with NaN or infinite coordinates")

        labels = [index_of[entity["category_id"]] for entity in entities]
        crowd = _crowd(file, image["id"], entities)
        targets.append(
            BoxTarget(
                image["file_name"],
                image["id"],
                torch.tensor([image["height"], image["width"]]),
                boxes,
                torch.tensor(labels, dtype=torch.long),
                torch.from_numpy(crowd),
            )
        )
    return BoxAnnotations(objects, targets)


def _classes(file: AnnotationFile, document: Any) -> tuple[tuple[str, ...], dict[int, int]]:
    """Names of the classes, and the index of each category id."""
    if not isinstance(document, dict) or "categories" not in document:
        return COCO_OBJECTS, COCO_INDEX_OF_CATEGORY
    categories = file.member(document, "categories", list)
    numbers = [[number] for number in fields_of(file, categories, "id", "category")]
    ids = integers_of(
        file, numbers, range(len(numbers)), "id", 0, LARGEST_ID, "category", exact=True
    ).tolist()
    names = [file.member(category, "name", str, "category") for category in categories]
    for kind, values in (("id", ids), ("name", names)):
        if len(set(values)) < len(values):
            raise file.error(f"categories hold one {kind} twice")

    # A part of COCO's classes keeps COCO's order, so that such files can be used together.
    of_coco = {COCO_CATEGORY_IDS[index]: name for index, name in enumerate(COCO_OBJECTS)}
    if all(of_coco.get(number) == name for number, name in zip(ids, names, strict=True)):
        return COCO_OBJECTS, COCO_INDEX_OF_CATEGORY
    return tuple(names), {number: index for index, number in enumerate(ids)}


def _crowd(file: AnnotationFile, image_id: int, entities: list[dict]) -> np.ndarray:
    # a missing key means no crowd
    values = [entity.get("iscrowd", 0) for entity in entities]
    return integers_of(file, [values], [image_id], "iscrowd", 0, 2) > 0
