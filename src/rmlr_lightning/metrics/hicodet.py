"""HICO-DET's evaluation by the definition of the authors' MATLAB code, as pure functions on arrays.

Source: github.com/ywchao/ho-rcnn, `evaluation/eval_one.m` and `VOCevaldet_bboxpair.m`.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.metrics.average_precision import Curve, curves, eleven_points, per_class
from rmlr_lightning.metrics.boxes import inclusive, pixel_iou
from rmlr_lightning.metrics.matching import best_match, first_to_match, group, locate
from rmlr_lightning.vocabulary import Vocabulary

MIN_OVERLAP = 0.5


class PairTable(NamedTuple):
    """Human-object pairs of many images, annotated or detected; one HOI class per row.

    `Target` and `Detections` give the same box coordinates.
    """

    images: np.ndarray  # (N,) integers in [0, number of images), the order of ties
    boxes_h: np.ndarray  # (N, 4) xyxy in continuous 0-based pixels
    boxes_o: np.ndarray  # (N, 4)
    hois: np.ndarray  # (N,) integers in [0, number of classes); a detection that is no HOI has -1


class HICODetResult(NamedTuple):
    """Per-class numbers of one setting, and their means. AP and recall in [0, 1]."""

    ap: np.ndarray  # (C,) float64; 0 without truth or without detections
    recall: np.ndarray  # (C,) float64, of all detections
    positives: np.ndarray  # (C,) int64 annotated pairs
    detections: np.ndarray  # (C,) int64 rows that were ranked
    curve: Curve
    full: float
    rare: float  # NaN where the vocabulary has no rare class
    non_rare: float


def match_annotations(
    truth: PairTable, detections: PairTable, scores: np.ndarray, images: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Decide which detections are true positives.

    A detection is matched to the annotated pair of its class and image with the largest
    min(IoU_h, IoU_o), the first on ties. It is a true positive if the overlap is at least 0.5 and
    no detection ranked before it (by score, then by row) is matched to the same pair.

    Args:
        truth: annotated pairs.
        detections: K scored pairs, the rows of an image in the order of ties.
        scores: (K,), without NaN.
        images: number of images.
        classes: number of HOI classes.

    Returns:
        (K,) bool, the true positives; and (K,) int32, the annotation that each is matched to, free
        or not, -1 where the overlap is below 0.5.
    """
    true = np.zeros(len(scores), dtype=bool)
    matched = np.full(len(scores), -1, dtype=np.int32)
    if not len(truth.hois) or not len(scores):
        return true, matched

    # One key per image and class. 32 bits where they suffice: half the memory of a large file.
    kind = np.int32 if images * classes < 2**31 else np.int64
    keys = detections.images.astype(kind)
    keys *= kind(classes)
    keys += detections.hois.astype(kind, copy=False)
    known = detections.hois >= 0
    if not known.all():
        keys[~known] = 0
    groups = group(truth.images.astype(np.int64) * classes + truth.hois)
    which = locate(groups, keys, images * classes)
    rows = np.flatnonzero((which >= 0) & known)

    true_h, true_o = inclusive(truth.boxes_h), inclusive(truth.boxes_o)
    boxes_h, boxes_o = inclusive(detections.boxes_h[rows]), inclusive(detections.boxes_o[rows])

    def overlap(row: np.ndarray, annotation: np.ndarray) -> np.ndarray:
        # The minimum is at most IoU_h: where that is below 0.5, IoU_o is not needed.
        values = pixel_iou(boxes_h[row], true_h[annotation])
        near = np.flatnonzero(values >= MIN_OVERLAP)
        values[near] = np.minimum(
            values[near], pixel_iou(boxes_o[row[near]], true_o[annotation[near]])
        )
        return values

    annotations, overlaps = best_match(groups, which[rows], overlap)
    enough = overlaps >= MIN_OVERLAP
    rows, annotations = rows[enough], annotations[enough]
    matched[rows] = annotations
    true[rows[first_to_match(annotations, scores[rows])]] = True
    return true, matched


def score_settings(
    hois: np.ndarray,
    scores: np.ndarray,
    true: np.ndarray,
    positives: np.ndarray,
    vocabulary: Vocabulary,
    known_object: np.ndarray | None = None,
) -> dict[str, HICODetResult]:
    """Rank matched detections and average: the Default setting, and Known Object where wanted.

    Args:
        hois: (K,) classes; rows with -1 are left out.
        scores: (K,); ties keep the order of the rows, which is by image and then by row.
        true: (K,) bool from `match_annotations`.
        positives: (C,) number of annotated pairs.
        vocabulary: its hois are the C classes.
        known_object: (K,) bool, True where the image has a positive image-level label with the
            object of the row.

    Returns:
        {"default": ..., "known_object": ...}, the second only with `known_object`.
    """
    classes = len(positives)
    # -1: verb and object form no HOI of the vocabulary.
    valid = hois >= 0
    if not valid.all():
        hois, scores, true = hois[valid], scores[valid], true[valid]
        known_object = None if known_object is None else known_object[valid]
    counts = {"default": np.bincount(hois, minlength=classes)}
    if known_object is not None:
        counts["known_object"] = np.bincount(hois[known_object], minlength=classes)
    # Matching stays within an image: the images that Known Object keeps keep their matches.
    points = curves(hois, scores, true, classes, known_object)
    return {
        name: _result(p, positives, counts[name], vocabulary)
        for name, p in zip(counts, points, strict=True)
    }


def known_object_rows(
    images: np.ndarray, objects: np.ndarray, labels: list, vocabulary: Vocabulary
) -> np.ndarray:
    """The detections that Known Object keeps.

    Args:
        images: (K,) integers into `labels`.
        objects: (K,) object classes.
        labels: for each image its positive image-level HOIs.
        vocabulary: of the HOIs.

    Returns:
        (K,) bool.
    """
    table = np.zeros((len(labels), len(vocabulary.objects)), dtype=bool)
    for image, hois in enumerate(labels):
        for hoi in hois:
            table[image, vocabulary.hois[hoi][1]] = True
    return table[images, objects]


def score_hicodet(
    truth: PairTable,
    detections: PairTable,
    scores: np.ndarray,
    images: int,
    vocabulary: Vocabulary,
    image_hois: list | None = None,
) -> dict[str, HICODetResult]:
    """Match, rank and average.

    Args:
        truth: annotated pairs, without the invisible ones.
        detections: K scored pairs, images in any order; the rows of an image in the order of ties.
        scores: (K,), without NaN.
        images: number of images, those without pairs or detections included.
        vocabulary: of the HOIs.
        image_hois: positive image-level labels of each image, for Known Object.

    Returns:
        As `score_settings`.
    """
    # Ties are ranked by image, then by row of the image.
    if len(scores) and (np.diff(detections.images) < 0).any():
        order = np.argsort(detections.images, kind="stable")
        detections, scores = PairTable(*(column[order] for column in detections)), scores[order]

    classes = len(vocabulary.hois)
    true, _ = match_annotations(truth, detections, scores, images, classes)
    positives = np.bincount(truth.hois, minlength=classes)
    inside = None
    if image_hois is not None:
        objects = np.array([obj for _, obj in vocabulary.hois], dtype=np.int64)
        inside = known_object_rows(
            detections.images, objects[detections.hois], image_hois, vocabulary
        )
    return score_settings(detections.hois, scores, true, positives, vocabulary, inside)


def _result(
    points: Curve, positives: np.ndarray, detections: np.ndarray, vocabulary: Vocabulary
) -> HICODetResult:
    classes = len(positives)
    ap = per_class(points, positives, eleven_points)
    # The curve has one point per true positive.
    recall = np.bincount(points.classes, minlength=classes) / np.maximum(positives, 1)
    rare = np.zeros(classes, dtype=bool)
    rare[list(vocabulary.rare)] = True

    def mean(values: np.ndarray) -> float:
        return float(values.mean()) if len(values) else float("nan")

    return HICODetResult(
        ap, recall, positives, detections, points, mean(ap), mean(ap[rare]), mean(ap[~rare])
    )
