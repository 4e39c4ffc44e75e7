"""Twins as couples: which rows of true pairs are the two sides of one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from rmlr_lightning.metrics.twins import Twin
from rmlr_lightning.ops.boxes import paired_iou
from rmlr_lightning.types import Target
from support.tokens import TruePairs


class Couple(NamedTuple):
    """Rows of the two sides among all true pairs, and the verbs that decide: of the first side, of the second."""

    a: int
    b: int
    verbs_a: tuple[int, ...]
    verbs_b: tuple[int, ...]


def couples(
    twins: Mapping[str, Sequence[Twin]],
    pairs: Sequence[TruePairs],
    targets: Sequence[Target],
    overlap: float = 0.9,
) -> list[Couple]:
    """The couples whose two sides are among `pairs`, which follow `targets`.

    Two sides belong together where boxes and object are the same and each has the other's verbs; a side is the true
    pair of its picture that its boxes overlap by `overlap` at least (they are the same up to rounding).
    """
    first = torch.tensor([0, *(len(true.objects) for true in pairs)]).cumsum(0).tolist()
    place = {true.file_name: image for image, true in enumerate(pairs)}
    sides = defaultdict(list)
    for name, of_picture in twins.items():
        for twin in of_picture:
            if name not in place:
                continue
            image = place[name]
            row = _row(twin, pairs[image], targets[image], overlap)
            if row is not None:
                sides[(*twin.box_h.tolist(), *twin.box_o.tolist(), twin.object)].append(
                    (first[image] + row, twin)
                )
    found = []
    for same_place in sides.values():
        while same_place:
            row, twin = same_place.pop()
            match = next(
                (s for s in same_place if (s[1].own, s[1].other) == (twin.other, twin.own)), None
            )
            if match is not None:
                same_place.remove(match)
                found.append(Couple(row, match[0], twin.own, match[1].own))
    return sorted(found)


def places(found: Sequence[Couple], pairs: Sequence[TruePairs]) -> list[int]:
    """For each row the number of the place it was drawn at: that of its picture, one for both pictures of a couple."""
    image = [number for number, true in enumerate(pairs) for _ in true.objects]
    merged = list(range(len(pairs)))
    for couple in found:
        a, b = merged[image[couple.a]], merged[image[couple.b]]
        merged = [a if place == b else place for place in merged]
    return [merged[number] for number in image]


def _row(twin: Twin, true: TruePairs, target: Target, overlap: float) -> int | None:
    scale = target.size.flip(0).repeat(2)
    fit = torch.minimum(
        paired_iou(true.boxes_h * scale, twin.box_h), paired_iou(true.boxes_o * scale, twin.box_o)
    )
    fit = torch.where(true.objects == twin.object, fit, 0.0)
    return int(fit.argmax()) if len(fit) and fit.max() >= overlap else None
