"""Where does the AP come from? By class, by crowd in the image, by size and distance of the annotated pair."""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.metrics.hicodet import PairTable
from rmlr_lightning.scoring.matched import MatchedDetections, mean_of
from rmlr_lightning.vocabulary import COCO_OBJECTS, Vocabulary

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


def by_groups(scored: MatchedDetections, groups: dict[str, np.ndarray]) -> list[Slice]:
    """Means over groups of classes, {name: (C,) bool}, for example the HOIs of a verb."""
    ap, positives = scored.ap(), scored.positives
    found = np.bincount(scored.classes, minlength=len(ap))
    return [
        Slice(
            name,
            mean_of(ap[chosen]),
            int(chosen.sum()),
            int(positives[chosen].sum()),
            int(found[chosen].sum()),
        )
        for name, chosen in groups.items()
    ]


def hoi_groups(vocabulary: Vocabulary) -> dict[str, dict[str, np.ndarray]]:
    """The HOI classes of each verb, of each object, and the rare ones."""
    verbs = np.array([verb for verb, _ in vocabulary.hois])
    objects = np.array([obj for _, obj in vocabulary.hois])
    rare = np.isin(np.arange(len(verbs)), sorted(vocabulary.rare))
    return {
        "verb": {
            name: verbs == index
            for index, name in enumerate(vocabulary.verbs)
            if (verbs == index).any()
        },
        "object": {
            name: objects == index
            for index, name in enumerate(COCO_OBJECTS)
            if (objects == index).any()
        },
        "rarity": {"rare": rare, "non_rare": ~rare},
    }


def by_pairs_in_image(scored: MatchedDetections, pairs: np.ndarray) -> list[Slice]:
    """On the images with so many annotated pairs alone.

    Args:
        scored: matched detections.
        pairs: (I,) number of annotated pairs (V-COCO: persons with annotations) of each image.
    """
    part = np.digitize(pairs, PAIRS)
    names = ("0", "1", "2-3", "4-7", "8+")
    return [
        _slice(name, scored.on(part[scored.images] == i, part[scored.truth_images] == i))
        for i, name in enumerate(names)
    ]


def by_measure(
    scored: MatchedDetections,
    truth_part: np.ndarray,
    row_part: np.ndarray,
    taken: np.ndarray,
    names: list[str],
) -> list[Slice]:
    """By a measure of the pair itself, such as its size, as COCO does it.

    A slice has the annotations of that measure. A detection goes with the annotation it takes, or else with its own
    boxes.

    Args:
        scored: matched detections.
        truth_part: (G,) the slice of each annotation.
        row_part: (K,) the slice of each detection by its own boxes.
        taken: (K,) the annotation that each detection takes, -1 for none.
        names: of the slices.
    """
    part = row_part.copy()
    part[taken >= 0] = truth_part[taken[taken >= 0]]
    return [_slice(name, scored.on(part == i, truth_part == i)) for i, name in enumerate(names)]


def measures(table: PairTable) -> dict[str, tuple[np.ndarray, list[str]]]:
    """For each measure the slice of every pair, (N,), and the names of the slices."""
    with np.errstate(invalid="ignore"):  # an empty role has no object
        sides = {"human_size": _side(table.boxes_h), "object_size": _side(table.boxes_o)}
        out = {
            name: (np.digitize(side, SIDES), ["small", "medium", "large"])
            for name, side in sides.items()
        }
        centres = (
            table.boxes_h.reshape(-1, 2, 2).mean(axis=1),
            table.boxes_o.reshape(-1, 2, 2).mean(axis=1),
        )
        diagonal = np.hypot(*(table.boxes_h[:, 2:] - table.boxes_h[:, :2]).T)
        distance = np.hypot(*(centres[0] - centres[1]).T) / np.maximum(diagonal, 1.0)
        names = ["below 0.25", "0.25 to 0.5", "0.5 to 1", "above 1"]
        out["distance"] = (np.digitize(distance, DISTANCES), names)
    return out


def _side(boxes: np.ndarray) -> np.ndarray:
    width, height = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).T
    return np.sqrt(width.astype(np.float64) * height)


def _slice(name: str, scored: MatchedDetections) -> Slice:
    # A class without annotations in the slice says nothing about it, whatever the data set's rule.
    ap = np.where(scored.positives > 0, scored.ap(), np.nan)
    return Slice(
        name,
        mean_of(ap),
        int((scored.positives > 0).sum()),
        len(scored.truth_classes),
        len(scored.classes),
    )
