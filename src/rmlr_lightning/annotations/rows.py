"""From the annotated rows of a file to one `Target` per image; all layouts share its checks."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from rmlr_lightning.annotations.boxes import Column, check_boxes
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary


class ImageList(NamedTuple):
    """The images of a file, in its order."""

    names: list[str]
    ids: list[int]
    sizes: np.ndarray  # (I, 2) int: height, width; (0, 0) where the file does not hold it


class Rows(NamedTuple):
    """The annotated interactions of a file, concatenated over its images."""

    image: np.ndarray  # (K,) index into the image list, never decreasing
    boxes_h: np.ndarray  # (K, 4) float64 xyxy in continuous 0-based pixels
    boxes_o: np.ndarray  # (K, 4) likewise; NaN where the role is empty
    objects: np.ndarray  # (K,) index into the vocabulary's objects; -1 where the role is empty
    verbs: np.ndarray  # (K,) index into the vocabulary's verbs


def unknown_sizes(images: int) -> np.ndarray:
    """`ImageList.sizes` of a file without sizes."""
    return np.zeros((images, 2), dtype=np.int64)


def targets_of(
    file: AnnotationFile,
    images: ImageList,
    rows: Rows,
    vocabulary: Vocabulary,
    image_hois: Sequence[frozenset[int]] | None = None,
) -> list[Target]:
    """One target per image, images without interactions included.

    Row order and duplicates are those of the file.

    Args:
        image_hois: positive image-level labels per image, if known.

    Raises:
        AnnotationError: a box that is not one of its image (`annotations.boxes`), or a verb and an
            object that are not an HOI of the vocabulary.
    """
    empty = rows.objects < 0
    _check_boxes(file, images, rows, rows.boxes_h, "human")
    _check_boxes(file, images, rows, rows.boxes_o, "object")

    # object -1 reads the last row of the table, which is replaced here
    hois = np.where(empty, -1, vocabulary.hoi_table()[rows.objects, rows.verbs])
    unknown = np.flatnonzero((hois < 0) & ~empty)
    if len(unknown):
        row = unknown[0]
        verb, obj = vocabulary.verbs[rows.verbs[row]], vocabulary.objects[rows.objects[row]]
        raise file.error(
            f"image {shown(images.names[rows.image[row]])} has a pair {shown(verb)} with "
            f"{shown(obj)}, no HOI of the data set"
        )

    boxes_o = np.where(empty[:, None], np.nan, rows.boxes_o)
    columns = (rows.boxes_h, boxes_o, rows.objects, rows.verbs, hois)
    dtypes = (np.float64, np.float64, np.int64, np.int64, np.int64)
    counts = np.bincount(rows.image, minlength=len(images.names)).tolist()
    split_columns = [
        torch.from_numpy(column.astype(dtype)).split(counts)
        for column, dtype in zip(columns, dtypes, strict=True)
    ]

    targets = []
    sizes = torch.from_numpy(images.sizes.astype(np.int64))
    labels = [None] * len(images.names) if image_hois is None else image_hois
    for i, parts in enumerate(zip(*split_columns, strict=True)):
        # A view would carry the storage of the whole file into every worker and checkpoint.
        fields = [tensor.clone() for tensor in (sizes[i], *parts)]
        targets.append(Target(images.names[i], images.ids[i], *fields, labels[i]))
    return targets


def _check_boxes(
    file: AnnotationFile, images: ImageList, rows: Rows, boxes: np.ndarray, what: str
) -> None:
    """Rows without a box hold NaN and are left out."""
    there = np.flatnonzero(~(rows.objects < 0)) if what == "object" else np.arange(len(boxes))
    first = np.searchsorted(rows.image, rows.image)

    def name_of(place: int) -> str:
        row = there[place]
        name = shown(images.names[rows.image[row]])
        return f"image {name}, {what} of row {row - first[row]},"

    check_boxes(file, Column(boxes[there], images.sizes[rows.image[there]], name_of))


def image_ids(names: list[str]) -> list[int]:
    """The number at the end of each file name (COCO_val2014_000000000294.jpg -> 294).

    That is the image id of COCO and HICO-DET. If the numbers are missing or not distinct, the ids
    are the positions in the list.
    """
    found = [re.search(r"([0-9]{1,18})(?:\.[^.]*)?$", name) for name in names]
    # fewer ids than names, or equal ids, fail the same comparison
    ids = [int(match.group(1)) for match in found if match]
    return ids if len(set(ids)) == len(names) else list(range(len(names)))
