"""Detections of another detector, in COCO's results format."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rmlr_lightning.annotations.boxes import MARGIN, share_inside
from rmlr_lightning.annotations.columns import boxes_of, fields_of, integers_of, numbers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import (
    COCO_CATEGORY_IDS,
    COCO_INDEX_OF_CATEGORY,
    COCO_OBJECTS,
    Vocabulary,
    object_name,
)

# the format is on a page: a message has only what is wrong
_EXPECTED = "COCO's results format"
_HINT = "docs/DEPLOY.md describes it"


class ExternalDetections(NamedTuple):
    """Detections of one image."""

    boxes: list[list[float]]  # xyxy in pixels
    scores: list[float]  # in [0, 1]
    labels: list[int]  # object classes of the vocabulary
    rows: list[int]  # of the file, for messages
    file: AnnotationFile

    def entities(self, width: int, height: int) -> Entities:
        """The detections relative to an image of this size and clipped to it.

        They have no tokens: (N, 0). There is no batch dimension.

        Raises:
            AnnotationError: less than half of a box lies in the image: its numbers are no
                x, y, width, height in pixels of this image.
        """
        self._check_inside(width, height)
        boxes = torch.tensor(self.boxes).reshape(-1, 4) / torch.tensor([width, height] * 2)
        count = len(self.boxes)
        return Entities(
            boxes.clamp(0, 1),
            torch.tensor(self.scores),
            torch.tensor(self.labels, dtype=torch.long),
            torch.zeros(count, 0),
            torch.ones(count, dtype=torch.bool),
        )

    def _check_inside(self, width: int, height: int) -> None:
        boxes = np.array(self.boxes, dtype=np.float64).reshape(-1, 4)
        inside = share_inside(boxes, width, height)
        if (inside < 0.5).any():
            place = int(np.flatnonzero(inside < 0.5)[0])
            x1, y1, x2, y2 = boxes[place].tolist()
            likely = ""
            if x1 <= x2 - x1 <= width + MARGIN and y1 <= y2 - y1 <= height + MARGIN:
                likely = "; likely its numbers are x1, y1, x2, y2"
            bbox = [round(number, 2) for number in (x1, y1, x2 - x1, y2 - y1)]
            raise self.file.error(
                f"row {self.rows[place]} has the bbox {bbox}, outside its "
                f"image of {width} x {height} pixels{likely}"
            )


def read_external_detections(
    path: Path, images: Sequence[Path], vocabulary: Vocabulary
) -> dict[Path, ExternalDetections]:
    """Rows {image_id, category_id, bbox, score} of COCO's results format, by image file.

    With the object classes of COCO, `category_id` is COCO's. Any other vocabulary needs `category`,
    the name of the class, in its place; rows of classes that it lacks are left out. Where all rows
    have names, they decide for COCO's classes, too.

    A row belongs to the image whose file name or stem is its `image_id`, or whose stem ends in
    that number (COCO_val2014_000000000294.jpg is 294) if no other image's does. Images without
    rows get no detections; rows of other images are left out.

    Raises:
        AnnotationError: the file is missing, of another format, holds invalid numbers, a number
            that two images end in, no class of the vocabulary, or no row of any of the images.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    rows = file.json()
    if not isinstance(rows, list):
        raise file.error(f"the file is {shown(rows)}, not a list")
    image_ids = fields_of(file, rows, "image_id", "row")
    boxes, scores, labels = _columns(file, rows, vocabulary)

    # every image is a key, so that one without rows gets no boxes instead of the detector's
    image_of, ambiguous = _images_by_id(images)
    found = {image: ExternalDetections([], [], [], [], file) for image in images}
    num_matched = 0
    for row, image_id in enumerate(image_ids):
        key = _image_key(file, row, image_id)
        # a zero-padded number is the number
        number = (key.lstrip("0") or "0") if key.isdecimal() else key
        image = image_of.get(key) or image_of.get(number)
        if image is None and number in ambiguous:
            names = " and ".join(image.name for image in ambiguous[number][:2])
            raise file.error(f"row {row} has image_id {key}, which fits {names}; use file names")
        if image is None:
            continue
        num_matched += 1
        if labels[row] < 0:
            continue
        of_image = found[image]
        of_image.boxes.append(boxes[row])
        of_image.scores.append(scores[row])
        of_image.labels.append(labels[row])
        of_image.rows.append(row)
    # some rows may be of other images; if all are, the file does not belong to these images
    if rows and not num_matched:
        raise file.error(
            "none of its image_id fits any of the images; they must be file names or the "
            "number at their end"
        )
    return found


def _image_key(file: AnnotationFile, row: int, image_id: object) -> str:
    """An image id as text: 294 and 294.0 are the same number."""
    if isinstance(image_id, float) and image_id.is_integer():
        image_id = int(image_id)
    if isinstance(image_id, bool) or not isinstance(image_id, (int, str)):
        raise file.error(f"row {row} has image_id {shown(image_id)}, not a name or a number")
    return str(image_id)


def _columns(
    file: AnnotationFile, rows: list, vocabulary: Vocabulary
) -> tuple[list[list[float]], list[float], list[int]]:
    """Boxes (xyxy), scores and object classes of all rows; -1 for a class it lacks."""
    has_names = len(rows) > 0 and all(isinstance(r, dict) and "category" in r for r in rows)
    if vocabulary.objects == COCO_OBJECTS and not has_names:
        labels = _coco_labels(file, rows)
    else:
        # numbers would be read as classes of another list
        known = {name: index for index, name in enumerate(vocabulary.objects)}
        names = fields_of(file, rows, "category", "row")
        labels = [_class_of(name, known) for name in names]
        if rows and max(labels) < 0:
            raise file.error(
                f"none of its categories, such as {shown(names[0])}, is one of the classes: "
                f"{', '.join(vocabulary.objects[:3])}, ..."
            )
        left_out = [name for name, label in zip(names, labels, strict=True) if label < 0]
        if left_out:
            print(
                f"note: {file.path}: {len(left_out)} of {len(rows)} rows are left out: their "
                f"categories, such as {shown(left_out[0])}, are no class of the data set",
                file=sys.stderr,
            )

    numbers = range(len(rows))
    column = {
        key: [[value] for value in fields_of(file, rows, key, "row")] for key in ("bbox", "score")
    }
    boxes = boxes_of(file, column["bbox"], numbers, "bbox", "row")
    with np.errstate(over="ignore"):
        finite = np.isfinite(boxes.astype(np.float32)).all(1)
    wrong = np.flatnonzero(~(finite & (boxes[:, 2:] >= 0).all(1)))
    if len(wrong):
        row = wrong[0]
        raise file.error(f"row {row} has the bbox {boxes[row].tolist()}, not a box in pixels")
    if len(boxes) and (np.abs(boxes) <= 1).all():
        raise file.error("all of its boxes are relative to the image (0 to 1), not in pixels")
    boxes[:, 2:] += boxes[:, :2]

    scores = numbers_of(file, column["score"], numbers, "score", 0, 1, "row")
    return boxes.tolist(), scores.tolist(), labels


def _class_of(name: object, known: dict[str, int]) -> int:
    """-1 for a class that is not known; COCO's objects are found in other spellings, too."""
    if not isinstance(name, str):
        return -1
    return known.get(name, known.get(object_name(name), -1))


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


def _images_by_id(images: Sequence[Path]) -> tuple[dict[str, Path], dict[str, list[Path]]]:
    """The image of every `image_id`: its name, its stem, or the number at the stem's end.

    Also the numbers that several images end in, with these images.
    """
    numbered: dict[str, list[Path]] = {}
    for image in images:
        number = re.search(r"(\d+)$", image.stem)
        if number:
            numbered.setdefault(str(int(number.group())), []).append(image)

    by_number = {number: group[0] for number, group in numbered.items() if len(group) == 1}
    by_stem = {image.stem: image for image in images}
    by_name = {image.name: image for image in images}
    # the right side wins: a full name is the most specific
    known = by_number | by_stem | by_name
    return known, {number: group for number, group in numbered.items() if len(group) > 1}
