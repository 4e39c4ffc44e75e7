"""What kind of error costs how much mAP, in the spirit of Diag-HOI (arXiv 2308.08529) and TIDE.

Every false positive and every missed annotation has one type, the first that fits:

    type            a false positive                                    a missed annotation
    duplicate       its annotation went to a higher score               -
    wrong_verb      is on an annotated pair, with another verb          its pair was detected, with other verbs
    pairing         both boxes are annotated, but not with each other   both boxes were detected, but not together
    missed_object   its person is annotated, its object is not there    its person was detected, its object was not
    missed_human    neither                                             its person was not detected

The cost of a type is the mAP that is gained if its false positives are left out and its missed annotations are found,
ranked first. Costs do not add up to what is missing: an error may stand behind another.
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

    false_positives: (
        int  # that may stand before a true positive of their class; the others cost nothing
    )
    missed: int  # annotations
    cost: float  # mAP in [0, 1]


def diagnose(
    scored: MatchedDetections,
    truth: PairTable,
    detections: PairTable,
    taken: np.ndarray,
    objects: np.ndarray,
) -> dict[str, ErrorCost]:
    """The types of error of a HICO-DET detection file and what each costs.

    Args:
        scored: of these detections, from `matched_hicodet`.
        truth: annotated pairs.
        detections: the rows of `scored`, in its order.
        taken: (K,) from `match_annotations`.
        objects: (C,) COCO object of each HOI class.

    Returns:
        For each of `TYPES`.
    """
    classes = len(scored.names)
    counts = may_precede_true(scored.classes, scored.scores, scored.true, classes)
    wrong = counts[~scored.true[counts]]
    found = np.zeros(len(truth.hois), dtype=bool)
    found[taken[scored.true]] = True
    missed = np.flatnonzero(~found)
    row_type = np.full(len(scored.true), -1)
    of_wrong, _ = _meetings(_take(detections, wrong), truth, objects, scored.num_images)
    row_type[wrong] = np.where(taken[wrong] >= 0, TYPES.index("duplicate"), _types(of_wrong))
    _, of_missed = _meetings(detections, _take(truth, missed), objects, scored.num_images)
    missed_type = _types(of_missed)
    base = mean_of(scored.ap())
    out = {}
    for index, name in enumerate(TYPES):
        drop, add = row_type == index, missed[missed_type == index]
        cost = mean_of(_repaired(scored, ~drop, truth.hois[add], truth.images[add]).ap()) - base
        out[name] = ErrorCost(int(drop.sum()), len(add), cost)
    return out


def _repaired(
    scored: MatchedDetections, keep: np.ndarray, classes: np.ndarray, images: np.ndarray
) -> MatchedDetections:
    return scored._replace(
        classes=np.concatenate((scored.classes[keep], classes)),
        images=np.concatenate((scored.images[keep], images)),
        scores=np.concatenate(
            (scored.scores[keep], np.full(len(classes), np.inf, dtype=scored.scores.dtype))
        ),
        true=np.concatenate((scored.true[keep], np.ones(len(classes), dtype=bool))),
    )


def _types(meets: dict[str, np.ndarray]) -> np.ndarray:
    types = np.where(meets["human"], TYPES.index("missed_object"), TYPES.index("missed_human"))
    types[meets["human"] & meets["object"]] = TYPES.index("pairing")
    types[meets["pair"]] = TYPES.index("wrong_verb")
    return types


def _meetings(
    rows: PairTable, annotations: PairTable, objects: np.ndarray, images: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    # Which rows meet an annotation of their image, and which annotations a row: with the human box, with the object box
    # (of the same object class), and with both at once.
    by_row = {name: np.zeros(len(rows.hois), dtype=bool) for name in ("human", "object", "pair")}
    by_annotation = {name: np.zeros(len(annotations.hois), dtype=bool) for name in by_row}
    if not len(rows.hois) or not len(annotations.hois):
        return by_row, by_annotation
    groups = group(annotations.images)
    which = locate(groups, rows.images, images)
    some = np.flatnonzero(which >= 0)
    true_h, true_o = inclusive(annotations.boxes_h), inclusive(annotations.boxes_o)
    for _, _, chosen, other, _ in joined(groups, which[some]):
        row = some[chosen]
        near = {
            "human": pixel_iou(inclusive(rows.boxes_h[row]), true_h[other]) >= MIN_OVERLAP,
            "object": objects[rows.hois[row]] == objects[annotations.hois[other]],
        }
        same = np.flatnonzero(near["object"])
        near["object"][same] = (
            pixel_iou(inclusive(rows.boxes_o[row[same]]), true_o[other[same]]) >= MIN_OVERLAP
        )
        near["pair"] = near["human"] & near["object"]
        for name, hit in near.items():
            by_row[name][row[hit]] = True
            by_annotation[name][other[hit]] = True
    return by_row, by_annotation


def _take(table: PairTable, rows: np.ndarray) -> PairTable:
    return PairTable(*(column[rows] for column in table))
