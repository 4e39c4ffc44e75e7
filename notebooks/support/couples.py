"""Couples of twins: which two rows of annotated pairs are the two sides of one twin."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from rmlr_lightning.metrics.twins import Twin
from rmlr_lightning.ops.boxes import paired_iou, to_pixels
from rmlr_lightning.types import Target, Truth


class Couple(NamedTuple):
    """Rows of both sides among all annotated pairs, and the verbs that only that side has."""

    a: int
    b: int
    verbs_a: tuple[int, ...]
    verbs_b: tuple[int, ...]


def couples(
    twins: Mapping[str, Sequence[Twin]],
    truths: Sequence[Truth],
    targets: Sequence[Target],
    min_overlap: float = 0.9,
) -> list[Couple]:
    """The couples whose two sides are both annotated.

    Two sides belong together if they have the same boxes and object class, and each lists the
    verbs of the other.

    Args:
        twins: by file name, from `metrics.twins.read_twins`.
        truths: annotated pairs of each image; rows of a couple count through all of them.
        targets: annotations of the same images.
        min_overlap: IoU of a side with its annotated pair. They are equal up to rounding.
    """
    counts = torch.tensor([0, *(len(truth.objects) for truth in truths)])
    first_row = counts.cumsum(0).tolist()
    image_of = {target.file_name: image for image, target in enumerate(targets)}

    sides = defaultdict(list)
    for file_name, twins_of_image in twins.items():
        image = image_of.get(file_name)
        if image is None:
            continue
        for twin in twins_of_image:
            row = _matching_row(twin, truths[image], targets[image], min_overlap)
            if row is not None:
                place = (*twin.box_h.tolist(), *twin.box_o.tolist(), twin.object)
                sides[place].append((first_row[image] + row, twin))

    found = []
    for sides_of_place in sides.values():
        found += _joined(sides_of_place)
    return sorted(found)


def places(found: Sequence[Couple], truths: Sequence[Truth]) -> list[int]:
    """For each row the number of its place: its image, or one number for both images of a couple.

    The two images of a couple show the same scene, so their rows are not independent.
    """
    image_of_row = [image for image, truth in enumerate(truths) for _ in truth.objects]
    place_of_image = list(range(len(truths)))
    for couple in found:
        a = place_of_image[image_of_row[couple.a]]
        b = place_of_image[image_of_row[couple.b]]
        place_of_image = [a if place == b else place for place in place_of_image]
    return [place_of_image[image] for image in image_of_row]


def _joined(sides: list[tuple[int, Twin]]) -> list[Couple]:
    """Couples among the sides of one place; sides without a counterpart are left out."""
    waiting, found = list(sides), []
    while waiting:
        row, twin = waiting.pop()
        for other_row, other in waiting:
            if (other.own, other.other) == (twin.other, twin.own):
                waiting.remove((other_row, other))
                found.append(Couple(row, other_row, twin.own, other.own))
                break
    return found


def _matching_row(twin: Twin, truth: Truth, target: Target, min_overlap: float) -> int | None:
    """The annotated pair of the twin's object class with the largest overlap, if it suffices."""
    scale = to_pixels(target.size)
    overlap = torch.minimum(
        paired_iou(truth.boxes_h * scale, twin.box_h),
        paired_iou(truth.boxes_o * scale, twin.box_o),
    )
    overlap = torch.where(truth.objects == twin.object, overlap, 0.0)
    if not len(overlap) or overlap.max() < min_overlap:
        return None
    return int(overlap.argmax())
