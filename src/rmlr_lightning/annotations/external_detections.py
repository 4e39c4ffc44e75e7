"""Detections of another detector, in COCO's results format."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rmlr_lightning.annotations.columns import boxes_of, fields_of, integers_of, numbers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import (
    COCO_CATEGORY_IDS,
    COCO_INDEX_OF_CATEGORY,
    COCO_OBJECTS,
    Vocabulary,
)

_EXPECTED = "a list of {image_id, category_id, bbox, score} (COCO results format)"
_HINT = "bbox is [x, y, width, height] in pixels, category_id one of COCO's 80 (1 to 90 with gaps)"


class ExternalDetections(NamedTuple):
    """Detections of one image."""

    boxes: list[list[float]]  # xyxy in pixels
    scores: list[float]  # in [0, 1]
    labels: list[int]  # object classes of the vocabulary

    def entities(self, width: int, height: int) -> Entities:
        """The detections relative to an image of this size and clipped to it.

        They have no tokens: (N, 0). There is no batch dimension.
        """
        boxes = torch.tensor(self.boxes).reshape(-1, 4) / torch.tensor([width, height] * 2)
        count = len(self.boxes)
        return Entities(
            boxes.clamp(0, 1),
            torch.tensor(self.scores),
            torch.tensor(self.labels, dtype=torch.long),
            torch.zeros(count, 0),
            torch.ones(count, dtype=torch.bool),
        )


def read_external_detections(
    path: Path, images: Sequence[Path], vocabulary: Vocabulary
) -> dict[Path, ExternalDetections]:
    """Rows {image_id, category_id, bbox, score} of COCO's results format, by image file.

    With the object classes of COCO, `category_id` is COCO's. Any other vocabulary needs `category`,
    the name of the class, in its place; rows of classes that it lacks are left out.

    A row belongs to the image whose file name or stem is its `image_id`, or whose stem ends in
    that number (COCO_val2014_000000000294.jpg is 294) if no other image's does. Images without
    rows get no detections; rows of other images are left out.

    Raises:
        AnnotationError: the file is missing, of another format, holds invalid numbers, or no row
            belongs to any of the images.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    rows = file.json()
    if not isinstance(rows, list):
        raise file.error(f"the file is {shown(rows)}, not a list")
    image_ids = fields_of(file, rows, "image_id", "row")
    boxes, scores, labels = _columns(file, rows, vocabulary)

    # every image is a key, so that one without rows gets no boxes instead of the detector's
    image_of = _images_by_id(images)
    found = {image: ExternalDetections([], [], []) for image in images}
    num_matched = 0
    for image_id, box, score, label in zip(image_ids, boxes, scores, labels, strict=True):
        image = image_of.get(str(image_id))
        if image is None:
            continue
        num_matched += 1
        if label < 0:
            continue
        found[image].boxes.append(box)
        found[image].scores.append(score)
        found[image].labels.append(label)
    # some rows may be of other images; if all are, the file does not belong to these images
    if rows and not num_matched:
        raise file.error(
            "none of its image_id fits any of the images; they must be file names or the "
            "number at their end"
        )
    return found


def _columns(
    file: AnnotationFile, rows: list, vocabulary: Vocabulary
) -> tuple[list[list[float]], list[float], list[int]]:
    """Boxes (xyxy), scores and object classes of all rows; -1 for a class it lacks."""
    if vocabulary.objects == COCO_OBJECTS:
        labels = _coco_labels(file, rows)
    else:
        # numbers would be read as classes of another list
        known = {name: index for index, name in enumerate(vocabulary.objects)}
        names = fields_of(file, rows, "category", "row")
        labels = [known.get(name, -1) if isinstance(name, str) else -1 for name in names]

    numbers = range(len(rows))
    column = {
        key: [[value] for value in fields_of(file, rows, key, "row")] for key in ("bbox", "score")
    }
    boxes = boxes_of(file, column["bbox"], numbers, "bbox", "row")
    wrong = np.flatnonzero(~(np.isfinite(boxes).all(1) & (boxes[:, 2:] >= 0).all(1)))
    if len(wrong):
        row = wrong[0]
        raise file.error(f"row {row} has the bbox {boxes[row].tolist()}, not a box in pixels")
    boxes[:, 2:] += boxes[:, :2]

    scores = numbers_of(file, column["score"], numbers, "score", 0, 1, "row")
    return boxes.tolist(), scores.tolist(), labels


def _coco_labels(file: AnnotationFile, rows: list) -> list[int]:
    column = [[value] for value in fields_of(file, rows, "category_id", "row")]
    last = max(COCO_CATEGORY_IDS)
    categories = integers_of(file, column, range(len(rows)), "category_id", 1, last + 1, "row")
    # COCO's category ids have gaps
    unknown = np.flatnonzero(~np.isin(categories, COCO_CATEGORY_IDS))
    if len(unknown):
        row = unknown[0]
        raise file.error(f"row {row} has category_id {categories[row]}, none of COCO's 80")
    return [COCO_INDEX_OF_CATEGORY[category] for category in categories.tolist()]


def _images_by_id(images: Sequence[Path]) -> dict[str, Path]:
    """The image of every `image_id`: its name, its stem, or the number at the stem's end."""
    numbered: dict[str, list[Path]] = {}
    for image in images:
        number = re.search(r"(\d+)$", image.stem)
        if number:
            numbered.setdefault(str(int(number.group())), []).append(image)

    by_number = {number: group[0] for number, group in numbered.items() if len(group) == 1}
    by_stem = {image.stem: image for image in images}
    by_name = {image.name: image for image in images}
    # the right side wins: a full name is the most specific
    return by_number | by_stem | by_name
