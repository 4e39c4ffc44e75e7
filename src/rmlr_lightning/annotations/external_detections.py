"""Detections of another detector, in COCO's results format."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY


class ExternalDetections(NamedTuple):
    """Boxes of one image: xyxy in pixels, scores, COCO indices."""

    boxes: list[list[float]]
    scores: list[float]
    labels: list[int]

    def entities(self, width: int, height: int) -> Entities:
        """Relative to an image of this size, clipped to it, without tokens."""
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
    path: Path, pictures: Sequence[Path]
) -> dict[Path, ExternalDetections]:
    """Rows {image_id, category_id, bbox: xywh, score} of COCO's results format, by picture.

    A row belongs to the picture whose file name or stem is its `image_id`, or whose name ends in that number
    (COCO_val2014_000000000294.jpg is 294), where that fits one picture only. Pictures without
    rows get no boxes; rows of other pictures are left out.

    Raises:
        UserError: no such file, not this format, impossible numbers, or rows that fit none of the pictures.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; --boxes wants detections in COCO results format"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error})") from error
    if not isinstance(rows, list):
        raise UserError(
            f"{path}: expected a list of {{image_id, category_id, bbox, score}} (COCO results format)"
        )
    names = _names(pictures)
    found = {picture: ExternalDetections([], [], []) for picture in pictures}
    hits = 0
    for number, row in enumerate(rows):
        image, category, box, score = _row(path, number, row)
        picture = names.get(str(image))
        if picture is not None:
            hits += 1
            x, y, width, height = box
            found[picture].boxes.append([x, y, x + width, y + height])
            found[picture].scores.append(score)
            found[picture].labels.append(COCO_INDEX_OF_CATEGORY[category])
    if rows and not hits:
        raise UserError(
            f"{path}: none of its image_id fits any of the pictures; they must be file names or the number at their end"
        )
    return found


def _names(pictures: Sequence[Path]) -> dict[str, Path]:
    numbered: dict[str, list[Path]] = {}
    for picture in pictures:
        number = re.search(r"(\d+)$", picture.stem)
        if number:
            numbered.setdefault(str(int(number.group())), []).append(picture)
    names = {number: group[0] for number, group in numbered.items() if len(group) == 1}
    return (
        names
        | {picture.stem: picture for picture in pictures}
        | {picture.name: picture for picture in pictures}
    )


def _row(path: Path, number: int, row: object) -> tuple[object, int, list[float], float]:
    try:
        image, category, box, score = (
            row[key] for key in ("image_id", "category_id", "bbox", "score")
        )
        box, score = [float(value) for value in box], float(score)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"{path}: row {number} lacks or garbles one of image_id, category_id, bbox, score"
        ) from error
    if len(box) != 4 or not all(map(math.isfinite, box)) or min(box[2:]) < 0:
        raise UserError(
            f"{path}: row {number} has the bbox {box}; expected [x, y, width, height] in pixels"
        )
    if not 0 <= score <= 1:
        raise UserError(f"{path}: row {number} has the score {score}; expected 0 to 1")
    if not isinstance(category, int) or category not in COCO_INDEX_OF_CATEGORY:
        raise UserError(
            f"{path}: row {number} has the category_id {category}, which is none of COCO's 80 (ids 1 to 90 with gaps)"
        )
    return image, category, box, score
