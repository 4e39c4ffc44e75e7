"""Types of error and the mAP that each costs, after Diag-HOI (arXiv 2308.08529) and TIDE.

Every false positive and every missed annotation has one type, the first that fits:

    type           a false positive                          a missed annotation
    duplicate      its annotation has a better detection     -
    wrong_verb     on an annotated pair of another verb      detected with other verbs
    pairing        both boxes annotated, in other pairs      both boxes detected, in other pairs
    missed_object  the person is annotated, the object not   the person was detected, the object not
    missed_human   neither is annotated                      the person was not detected

The cost of a type is the mAP gained if its false positives are removed and its missed annotations
are found and ranked first. Costs do not add up to 1 - mAP: correcting one error can reveal another.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.metrics.average_precision import may_precede_true
from rmlr_lightning.metrics.boxes import inclusive, pixel_iou
from rmlr_lightning.metrics.hicodet import MIN_OVERLAP, PairTable
from rmlr_lightning.metrics.matching import group, joined, locate
from rmlr_lightning.scoring.matched import MatchedDetections, mean_of

TYPES = ("missed_human", "missed_object", "pairing", "wrong_verb", "duplicate")


class ErrorCost(NamedTuple):
    """One type of error."""

    false_positives: int  # that may rank before a true positive of their class; others cost 0
    missed: int  # annotations
    cost: float  # mAP in [0, 1]


def diagnose(
    matched: MatchedDetections,
    truth: PairTable,
    detections: PairTable,
    annotation: np.ndarray,
    objects: np.ndarray,
) -> dict[str, ErrorCost]:
    """The types of error of HICO-DET detections and their costs.

    Args:
        matched: these detections, from `matched_hicodet`.
        truth: annotated pairs.
        detections: the rows of `matched`, in its order.
        annotation: (K,) from `match_annotations`.
        objects: (C,) COCO object of each HOI class.

    Returns:
        One for each of `TYPES`.
    """
    classes = len(matched.names)
    ranked = may_precede_true(matched.classes, matched.scores, matched.true, classes)
    wrong = ranked[~matched.true[ranked]]
    row_overlaps, _ = _overlaps(_take(detections, wrong), truth, objects, matched.num_images)
    # -1: a true positive, or a false positive that costs nothing.
    row_type = np.full(len(matched.true), -1)
    row_type[wrong] = np.where(
        annotation[wrong] >= 0, TYPES.index("duplicate"), _types(row_overlaps)
    )

    missed, missed_type = missed_annotations(
        truth, detections, annotation[matched.true], objects, matched.num_images
    )
    base = mean_of(matched.ap())
    out = {}
    for index, name in enumerate(TYPES):
        drop, add = row_type == index, missed[missed_type == index]
        corrected = _corrected(matched, ~drop, truth.hois[add], truth.images[add])
        out[name] = ErrorCost(int(drop.sum()), len(add), mean_of(corrected.ap()) - base)
    return out


def missed_annotations(
    truth: PairTable, detections: PairTable, found: np.ndarray, objects: np.ndarray, images: int
) -> tuple[np.ndarray, np.ndarray]:
    """The annotations that no detection is matched to, and the type of each.

    Args:
        found: rows of `truth` that a detection is matched to.
        objects: (C,) COCO object of each HOI class.
        images: how many there are.

    Returns:
        Rows of `truth`, and indices of `TYPES`.
    """
    is_found = np.zeros(len(truth.hois), dtype=bool)
    is_found[found] = True
    missed = np.flatnonzero(~is_found)
    _, overlaps = _overlaps(detections, _take(truth, missed), objects, images)
    return missed, _types(overlaps)


def _corrected(
    matched: MatchedDetections, keep: np.ndarray, classes: np.ndarray, images: np.ndarray
) -> MatchedDetections:
    """Some detections only, and new true positives that rank first."""
    first = np.full(len(classes), np.inf, dtype=matched.scores.dtype)
    return matched._replace(
        classes=np.concatenate((matched.classes[keep], classes)),
        images=np.concatenate((matched.images[keep], images)),
        scores=np.concatenate((matched.scores[keep], first)),
        true=np.concatenate((matched.true[keep], np.ones(len(classes), dtype=bool))),
    )


def _types(overlaps: dict[str, np.ndarray]) -> np.ndarray:
    human, obj = overlaps["human"], overlaps["object"]
    types = np.where(human, TYPES.index("missed_object"), TYPES.index("missed_human"))
    types[human & obj] = TYPES.index("pairing")
    # The most specific type is assigned last.
    types[overlaps["pair"]] = TYPES.index("wrong_verb")
    return types


def _overlaps(
    rows: PairTable, annotations: PairTable, objects: np.ndarray, images: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Which rows overlap an annotation of their image, and which annotations a row.

    By "human" box, by "object" box (of the same object class), and by both at once ("pair").
    """
    by_row = {name: np.zeros(len(rows.hois), dtype=bool) for name in ("human", "object", "pair")}
    by_annotation = {name: np.zeros(len(annotations.hois), dtype=bool) for name in by_row}
    if not len(rows.hois) or not len(annotations.hois):
        return by_row, by_annotation

    groups = group(annotations.images)
    which = locate(groups, rows.images, images)
    present = np.flatnonzero(which >= 0)
    true_h, true_o = inclusive(annotations.boxes_h), inclusive(annotations.boxes_o)
    for _, _, position, other, _ in joined(groups, which[present]):
        row = present[position]
        human = pixel_iou(inclusive(rows.boxes_h[row]), true_h[other]) >= MIN_OVERLAP
        obj = objects[rows.hois[row]] == objects[annotations.hois[other]]
        same = np.flatnonzero(obj)
        iou = pixel_iou(inclusive(rows.boxes_o[row[same]]), true_o[other[same]])
        obj[same] = iou >= MIN_OVERLAP

        for name, hit in (("human", human), ("object", obj), ("pair", human & obj)):
            by_row[name][row[hit]] = True
            by_annotation[name][other[hit]] = True
    return by_row, by_annotation


def _take(table: PairTable, rows: np.ndarray) -> PairTable:
    return PairTable(*(column[rows] for column in table))
