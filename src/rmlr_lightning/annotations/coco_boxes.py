"""Boxes of COCO's instances json, to train and evaluate a detector."""

from os import PathLike
from pathlib import Path

import numpy as np
import torch

from rmlr_lightning.annotations.coco_instances import checked_instances
from rmlr_lightning.annotations.columns import integers_of
from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.types import BoxTarget
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY

_EXPECTED = "COCO's instances json (images, annotations, categories)"
_HINT = (
    "convert your boxes to COCO's format, or make the synthetic benchmark with "
    "`rmlr-prepare synthetic`"
)


def read_coco_boxes(path: str | PathLike[str]) -> list[BoxTarget]:
    """One target per image, in the order of the file; boxes without area are left out.

    Boxes are float32 xyxy in continuous 0-based pixels. Images without boxes are included.

    Raises:
        AnnotationError: the file is missing, broken, of another layout, or contradicts itself.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    coco = checked_instances(file, file.json())

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

        labels = [COCO_INDEX_OF_CATEGORY[entity["category_id"]] for entity in entities]
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
    return targets


def _crowd(file: AnnotationFile, image_id: int, entities: list[dict]) -> np.ndarray:
    # a missing key means no crowd
    values = [entity.get("iscrowd", 0) for entity in entities]
    return integers_of(file, [values], [image_id], "iscrowd", 0, 2) > 0
