"""Checks that boxes are in the convention of their layout; others are refused when they are read.

All published files that we have (300,000 boxes of HICO-DET, V-COCO, HICO-DET-SG, VRD) keep the
rules below without an exception. A wrong box is named, with the convention that would make it
right. In files of 100,000 boxes and more one box in a thousand may be an annotator's slip; such a
box matches no detection.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.file import AnnotationFile

XYXY, XYWH = "x1, y1, x2, y2", "x, y, width, height"
MARGIN = 2.0  # pixels that a box may end outside its image; at least 1 % of the image's side
MANY, SLIPS = 100_000, 1 / 1000
# Relative coordinates end at 1, or at 2 in a layout that includes the last pixel. None of the real
# boxes ends there; images of 8 x 8 pixels may have such boxes.
RELATIVE, TINY_IMAGE = 2.0, 8
FLAT = 0.5  # share of boxes without area that no annotator makes

# what the four numbers of a box may be: convention -> the numbers as x1, y1, x2, y2
_CONVENTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    XYXY: lambda n: n,
    "x2, y2, x1, y1": lambda n: n[:, [2, 3, 0, 1]],
    XYWH: lambda n: np.concatenate([n[:, :2], n[:, :2] + n[:, 2:]], 1),
    "x1, x2, y1, y2": lambda n: n[:, [0, 2, 1, 3]],
    "y1, y2, x1, x2": lambda n: n[:, [2, 0, 3, 1]],
    "centre x, centre y, width, height": lambda n: np.concatenate(
        [n[:, :2] - n[:, 2:] / 2, n[:, :2] + n[:, 2:] / 2], 1
    ),
}


class Column(NamedTuple):
    """The boxes of a file, in the convention of its layout."""

    boxes: np.ndarray  # (K, 4) float64: x1, y1, x2, y2 in continuous 0-based pixels
    sizes: np.ndarray  # (K, 2) height, width of each box's image; 0 where it is not known
    name_of: Callable[[int], str]  # a row, as a message names it
    written: str = XYXY  # the convention of the file


def xyxy_of(numbers: np.ndarray, written: str = XYWH) -> np.ndarray:
    """(K, 4) x1, y1, x2, y2 from numbers in a convention."""
    return _CONVENTIONS[written](numbers)


def share_inside(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """(K,) share of each box that lies in its image; boxes (K, 4) xyxy.

    Boxes and image are larger by the margin: detectors may end outside by some pixels, and only
    other conventions end far outside.
    """
    sides = boxes[:, 2:] - boxes[:, :2] + 2 * MARGIN
    low = np.maximum(boxes[:, :2] - MARGIN, -MARGIN)
    high = np.minimum(boxes[:, 2:] + MARGIN, [width + MARGIN, height + MARGIN])
    return (high - low).clip(min=0).prod(1) / sides.prod(1)


def check_boxes(file: AnnotationFile, column: Column) -> None:
    """Refuse boxes that are not in the convention of the layout.

    Raises:
        AnnotationError: a box is not finite (as float32, which the model uses), inverted, or
            outside its image by more than the margin; or all of it lies in the first pixels, as
            relative coordinates do; or most boxes have no area.
    """
    boxes, sizes = column.boxes, column.sizes
    if not len(boxes):
        return
    with np.errstate(over="ignore"):
        finite = np.isfinite(boxes.astype(np.float32)).all(1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise file.error(f"{column.name_of(row)} has a box with NaN or infinite coordinates")

    wrong = ~_is_valid(boxes, sizes)
    count = int(wrong.sum())
    if count and (len(boxes) < MANY or count > SLIPS * len(boxes)):
        row = int(np.flatnonzero(wrong)[0])
        others = f"; {count:,} of {len(boxes):,} boxes are wrong" if count > 1 else ""
        raise file.error(
            f"{column.name_of(row)} has {_described(boxes[row], sizes[row])}{others}"
            f"{_likely(column, wrong)}"
        )
    flat = (boxes[:, 2:] == boxes[:, :2]).any(1)
    if len(boxes) >= 4 and flat.mean() > FLAT:
        row = int(np.flatnonzero(flat)[0])
        raise file.error(
            f"{column.name_of(row)} has a box without area, as {int(flat.sum()):,} of "
            f"{len(boxes):,} boxes have"
        )


def _is_valid(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(K,) whether each box can be one of its image."""
    is_known = (sizes > 0).all(1)
    ends = np.where(is_known[:, None], sizes[:, ::-1], np.inf)
    margin = np.where(is_known[:, None], np.maximum(MARGIN, 0.01 * sizes[:, ::-1]), MARGIN)
    is_upright = (boxes[:, 2:] >= boxes[:, :2]).all(1)
    is_inside = (boxes[:, :2] >= -margin).all(1) & (boxes[:, 2:] <= ends + margin).all(1)
    is_tiny = is_known & (sizes <= TINY_IMAGE).all(1)
    return is_upright & is_inside & (is_tiny | ~(boxes[:, 2:] <= RELATIVE).all(1))


def _described(box: np.ndarray, size: np.ndarray) -> str:
    """A wrong box, and what is wrong with it."""
    text = "the box [" + ", ".join(f"{value:.6g}" for value in box) + "] (x1, y1, x2, y2)"
    if (box[2:] < box[:2]).any():
        return f"{text}, which ends before it starts"
    if (box[2:] <= RELATIVE).all():
        return f"{text}, which lies in the image's first pixels"
    if size.all():
        return f"{text}, outside its image of {size[1]:.0f} x {size[0]:.0f} pixels"
    return f"{text}, with negative coordinates"


def _likely(column: Column, wrong: np.ndarray) -> str:
    """The convention by which the wrong boxes would be right."""
    boxes, sizes = column.boxes[wrong], column.sizes[wrong]
    numbers = boxes
    if column.written == XYWH:
        numbers = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    if (np.abs(numbers) <= RELATIVE).all():
        return "; likely they are relative to the image (0 to 1), not in pixels"
    if sizes.all() and _is_valid(boxes, sizes[:, ::-1]).all():
        return "; likely width and height of the image are swapped, or x and y of the boxes"
    for name, convert in _CONVENTIONS.items():
        if name != column.written and _is_valid(convert(numbers), sizes).all():
            return f"; likely the numbers are {name}, not {column.written}"
    return f"; expected {column.written} in pixels of the annotated image"
