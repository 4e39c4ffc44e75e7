"""From a file's rows of interactions to one `Target` an image: where every format meets the same checks."""

import re
from typing import NamedTuple

import numpy as np
import torch

from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import COCO_OBJECTS, Vocabulary


class Pictures(NamedTuple):
    """The images of a file, in its order."""

    names: list[str]
    ids: list[int]
    sizes: np.ndarray  # (I, 2) int: height, width; (0, 0) where the file does not say


class Rows(NamedTuple):
    """All interactions of a file, the images one after the other."""

    image: np.ndarray  # (K,) index into the pictures, never decreasing
    boxes_h: np.ndarray  # (K, 4) xyxy in continuous 0-based pixels
    boxes_o: np.ndarray  # (K, 4) likewise; NaN where the role is empty
    objects: np.ndarray  # (K,) COCO index; -1 where the role is empty
    verbs: np.ndarray  # (K,) index into the vocabulary's verbs


def targets_of(
    file: AnnotationFile, pictures: Pictures, rows: Rows, vocabulary: Vocabulary
) -> list[Target]:
    """One target an image, those without interactions included; row order and duplicates as in the file.

    Raises:
        AnnotationError: a box that is not finite, or a verb and an object that the vocabulary does not pair.
    """
    empty = rows.objects < 0
    # float32 first: 1e300 is a number in the file and infinity in the model
    boxes_h, boxes_o = _float32(rows.boxes_h), _float32(rows.boxes_o)
    for boxes, may_miss, what in (
        (boxes_h, np.zeros_like(empty), "human"),
        (boxes_o, empty, "object"),
    ):
        bad = ~np.isfinite(boxes).all(1) & ~may_miss
        if bad.any():
            name = pictures.names[rows.image[np.flatnonzero(bad)[0]]]
            raise file.error(
                f"image {shown(name)} has a {what} box with NaN or infinite coordinates"
            )
    boxes_o[empty] = np.nan
    hois = np.where(empty, -1, vocabulary.hoi_table()[rows.objects, rows.verbs])
    unknown = np.flatnonzero((hois < 0) & ~empty)
    if len(unknown):
        row = unknown[0]
        verb, obj = vocabulary.verbs[rows.verbs[row]], COCO_OBJECTS[rows.objects[row]]
        name = pictures.names[rows.image[row]]
        raise file.error(
            f"image {shown(name)} has a pair {shown(verb)} with {shown(obj)}, no HOI of the data set"
        )

    counts = np.bincount(rows.image, minlength=len(pictures.names)).tolist()
    columns = (
        boxes_h,
        boxes_o,
        rows.objects.astype(np.int64),
        rows.verbs.astype(np.int64),
        hois.astype(np.int64),
    )
    ragged = [torch.from_numpy(column).split(counts) for column in columns]
    sizes = torch.from_numpy(pictures.sizes.astype(np.int64))
    return [
        # a clone each: a view would drag the whole file's storage along to every worker and checkpoint
        Target(name, image_id, size.clone(), *(tensor.clone() for tensor in parts))
        for name, image_id, size, *parts in zip(
            pictures.names, pictures.ids, sizes, *ragged, strict=True
        )
    ]


def image_ids(names: list[str]) -> list[int]:
    """The number that ends each file's name (COCO_val2014_000000000294.jpg -> 294), which is the data sets' own image
    id; positions where that does not tell the files apart."""
    found = [re.search(r"([0-9]{1,18})(?:\.[^.]*)?$", name) for name in names]
    ids = [int(match.group(1)) for match in found if match]
    return ids if len(set(ids)) == len(names) else list(range(len(names)))


def _float32(boxes: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return boxes.astype(np.float32)
