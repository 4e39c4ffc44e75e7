"""AP by class, by number of pairs in the image, by size and distance of the annotated pair."""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.metrics.hicodet import PairTable
from rmlr_lightning.scoring.matched import MatchedDetections, mean_of
from rmlr_lightning.vocabulary import Vocabulary

PAIRS = (1, 2, 4, 8)  # pairs in the image: 0, 1, 2-3, 4-7, 8 or more
SIDES = (32.0, 96.0)  # side of a square of the same area, in pixels, as COCO: small, medium, large
DISTANCES = (0.25, 0.5, 1.0)  # between the centres, in diagonals of the human box


class Slice(NamedTuple):
    """One line of a breakdown. AP is a mean over its classes, in [0, 1]."""

    name: str
    ap: float
    classes: int
    positives: int
    detections: int


def hicodet_breakdown(
    matched: MatchedDetections,
    truth: PairTable,
    rows: PairTable,
    annotation: np.ndarray,
    vocabulary: Vocabulary,
) -> dict[str, list[Slice]]:
    """All breakdowns of HICO-DET detections, by name.

    Args:
        matched: the detections after matching.
        truth: annotated pairs.
        rows: the detections, in the order of `matched`.
        annotation: (K,) from `match_annotations`.
        vocabulary: of the classes.
    """
    out = {name: by_groups(matched, groups) for name, groups in hoi_groups(vocabulary).items()}
    pairs = np.bincount(truth.images, minlength=matched.num_images)
    out["pairs_in_image"] = by_pairs_in_image(matched, pairs)

    of_truth, of_rows = measures(truth), measures(rows)
    for name, (part, names) in of_truth.items():
        out[name] = by_measure(matched, part, of_rows[name][0], annotation, names)
    return out


def by_groups(matched: MatchedDetections, groups: dict[str, np.ndarray]) -> list[Slice]:
    """Means over groups of classes, {name: (C,) bool}, for example the HOIs of a verb."""
    ap, positives = matched.ap(), matched.positives
    detections = np.bincount(matched.classes, minlength=len(ap))
    return [
        Slice(
            name,
            mean_of(ap[members]),
            int(members.sum()),
            int(positives[members].sum()),
            int(detections[members].sum()),
        )
        for name, members in groups.items()
    ]


def hoi_groups(vocabulary: Vocabulary) -> dict[str, dict[str, np.ndarray]]:
    """The HOI classes of each verb, of each object, and the rare ones."""
    verbs = np.array([verb for verb, _ in vocabulary.hois])
    objects = np.array([obj for _, obj in vocabulary.hois])
    rare = np.isin(np.arange(len(verbs)), sorted(vocabulary.rare))
    return {
        "verb": _groups_of(verbs, vocabulary.verbs),
        "object": _groups_of(objects, vocabulary.objects),
        "rarity": {"rare": rare, "non_rare": ~rare},
    }


def by_pairs_in_image(matched: MatchedDetections, pairs: np.ndarray) -> list[Slice]:
    """Over the images with a certain number of annotated pairs.

    Args:
        matched: matched detections.
        pairs: (I,) annotated pairs of each image (V-COCO: persons with annotations).
    """
    part = np.digitize(pairs, PAIRS)
    names = ("0", "1", "2-3", "4-7", "8+")
    return [
        _slice(name, matched.subset(part[matched.images] == i, part[matched.truth_images] == i))
        for i, name in enumerate(names)
    ]


def by_measure(
    matched: MatchedDetections,
    truth_part: np.ndarray,
    row_part: np.ndarray,
    annotation: np.ndarray,
    names: list[str],
) -> list[Slice]:
    """By a measure of the pair itself, such as its size, as COCO does it.

    A slice has the annotations of that measure. A detection belongs to the slice of its matched
    annotation, or else to that of its own boxes.

    Args:
        matched: matched detections.
        truth_part: (G,) the slice of each annotation.
        row_part: (K,) the slice of each detection by its own boxes.
        annotation: (K,) the annotation that each detection is matched to, -1 for none.
        names: of the slices.
    """
    part = row_part.copy()
    has_match = annotation >= 0
    part[has_match] = truth_part[annotation[has_match]]
    return [
        _slice(name, matched.subset(part == i, truth_part == i)) for i, name in enumerate(names)
    ]


def measures(table: PairTable) -> dict[str, tuple[np.ndarray, list[str]]]:
    """For each measure the slice of every pair, (N,), and the names of the slices."""
    out = {}
    with np.errstate(invalid="ignore"):  # an empty role has NaN boxes
        for name, boxes in (("human_size", table.boxes_h), ("object_size", table.boxes_o)):
            out[name] = (np.digitize(_side(boxes), SIDES), ["small", "medium", "large"])

        centre_h = table.boxes_h.reshape(-1, 2, 2).mean(axis=1)
        centre_o = table.boxes_o.reshape(-1, 2, 2).mean(axis=1)
        diagonal = np.hypot(*(table.boxes_h[:, 2:] - table.boxes_h[:, :2]).T)
        distance = np.hypot(*(centre_h - centre_o).T) / np.maximum(diagonal, 1.0)
        names = ["below 0.25", "0.25 to 0.5", "0.5 to 1", "above 1"]
        out["distance"] = (np.digitize(distance, DISTANCES), names)
    return out


def _groups_of(values: np.ndarray, names: tuple[str, ...] | list[str]) -> dict[str, np.ndarray]:
    """The classes of each name, without empty groups."""
    groups = {name: values == index for index, name in enumerate(names)}
    return {name: members for name, members in groups.items() if members.any()}


def _side(boxes: np.ndarray) -> np.ndarray:
    width, height = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).T
    return np.sqrt(width.astype(np.float64) * height)


def _slice(name: str, matched: MatchedDetections) -> Slice:
    # A class without annotations in the slice is left out of its mean, also in HICO-DET, where it
    # counts as 0 in the overall mean.
    present = matched.positives > 0
    ap = np.where(present, matched.ap(), np.nan)
    return Slice(
        name, mean_of(ap), int(present.sum()), len(matched.truth_classes), len(matched.classes)
    )
