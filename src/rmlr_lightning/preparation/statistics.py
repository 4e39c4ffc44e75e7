"""Counts of an annotation file, and annotations that are known to be wrong in real data sets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary

MARGIN = 1.0  # pixels: HICO-DET's boxes often end one pixel outside the image


class Statistics(NamedTuple):
    """Counts of a split. A pair with three verbs counts three times, as in papers."""

    images: int
    with_pairs: int  # images with at least one pair
    pairs: int  # human-verb-object triplets with both boxes
    empty_roles: int  # triplets without an object (V-COCO)
    hois: int  # HOI classes that occur
    flat: list[str]  # images with a box without area
    outside: list[str]  # images with a box that ends outside the image
    repeated: int  # triplets that equal another of their image


def statistics_of(targets: Sequence[Target]) -> Statistics:
    """Counts of the annotations of one split."""
    hois: set[int] = set()
    flat, outside = [], []
    with_pairs = pairs = empty_roles = repeated = 0
    for target in targets:
        there = (target.objects >= 0).numpy()
        count = int(there.sum())
        pairs += count
        with_pairs += count > 0
        empty_roles += len(there) - count
        hois.update(target.hois[there].tolist())

        # the person of an empty role has a box, too, which must be valid
        boxes_h, boxes_o = target.boxes_h.numpy(), target.boxes_o.numpy()[there]
        boxes = np.concatenate([boxes_h, boxes_o])
        if (boxes[:, 2:] <= boxes[:, :2]).any():
            flat.append(target.file_name)
        if ends_outside(boxes, target.size.tolist()):
            outside.append(target.file_name)
        # verbs are part of a row: a pair with two verbs is no repetition
        rows = np.column_stack([boxes_h[there], boxes_o, target.verbs.numpy()[there]])
        repeated += count - len(np.unique(rows, axis=0))
    return Statistics(
        len(targets), with_pairs, pairs, empty_roles, len(hois), flat, outside, repeated
    )


def train_pairs(targets: Sequence[Target], vocabulary: Vocabulary) -> np.ndarray:
    """(T,) int64: pairs per HOI; fewer than 10 in training make a HOI rare."""
    hois = np.concatenate([target.hois.numpy() for target in targets])
    return np.bincount(hois[hois >= 0], minlength=len(vocabulary.hois))


def ends_outside(boxes: np.ndarray, size: list[int]) -> bool:
    """Whether a box (xyxy in pixels) ends more than a pixel outside an image of (height, width)."""
    height, width = size
    if not height or not width:  # the file does not hold the size
        return False
    last = np.array([width, height]) + MARGIN
    return bool((boxes[:, :2] < -MARGIN).any() or (boxes[:, 2:] > last).any())
