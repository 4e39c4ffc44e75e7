"""V-COCO's evaluation by the definition of the authors' script, as pure functions on arrays.

Source: github.com/s-gupta/v-coco, `vsrl_eval.py`. It crashes on images without persons and on
actions without positives or detections; docs/EVALUATION.md defines the result there.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.metrics.average_precision import Curve, all_points, curves, per_class
from rmlr_lightning.metrics.boxes import pixel_iou
from rmlr_lightning.metrics.matching import best_match, first_to_match, group, locate
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth

MIN_OVERLAP = 0.5
NOT_REPORTED = "point-instr"  # papers leave it out of the mean: 24 of 25 action-roles


class RoleTable(NamedTuple):
    """Detections of many images: one action and role per row."""

    images: np.ndarray  # (K,) integers in [0, I), the order of ties
    boxes_h: np.ndarray  # (K, 4) xyxy in pixels
    boxes_o: np.ndarray  # (K, 4); all NaN or all zero = an empty role; not read where the role is 0
    actions: np.ndarray  # (K,) integers
    roles: np.ndarray  # (K,) integers, 0 = agent, then the action's roles
    scores: np.ndarray  # (K,) without NaN


class RoleMatches(NamedTuple):
    """The verdict on each detection. For agents (role 0) both scenarios are the same."""

    counted: np.ndarray  # (K,) bool; False: it matched a person without annotations and is dropped
    true_1: np.ndarray  # (K,) bool, Scenario 1
    true_2: np.ndarray  # (K,) bool, Scenario 2


class VCOCOResult(NamedTuple):
    """Results per class of one evaluation. AP in [0, 1], NaN for a class without positives."""

    names: list[str]
    ap: np.ndarray  # (C,) float64
    recall: np.ndarray  # (C,) float64, of all detections
    positives: np.ndarray  # (C,) int64
    detections: np.ndarray  # (C,) int64
    curve: Curve
    mean: float  # over all classes with positives: the official mean
    mean24: float  # without `point-instr`


def match_roles(truth: VCOCOTruth, rows: RoleTable) -> RoleMatches:
    """Decide which detections are true positives.

    A detection is matched to the person of its image with the largest IoU, the first on ties. It is
    dropped if that person has no annotations. It is a true positive if that person does the action,
    IoU >= 0.5, the role is correct, and no detection ranked before it (by score, then by row) is
    matched to the same person with the same action and role.

    Args:
        truth: every person of the images.
        rows: K detections, those of an image in the order of ties.
    """
    total = len(rows.scores)
    person, overlap = _persons(truth, rows)
    met = person >= 0
    counted = np.ones(total, dtype=bool)
    counted[met] = truth.annotated[person[met]]

    # Rows whose person is found and does the action.
    near = np.flatnonzero(met & (overlap >= MIN_OVERLAP))
    near = near[truth.labels[person[near], rows.actions[near]]]
    near_person = person[near]
    action = rows.actions[near].astype(np.int64)
    role = rows.roles[near].astype(np.int64)
    correct_1, correct_2 = _correct_role(truth, near_person, action, role, rows.boxes_o[near])

    # Of the rows with the same person, action and role, the first in the ranking is true.
    true_1, true_2 = np.zeros(total, dtype=bool), np.zeros(total, dtype=bool)
    key = (near_person * len(truth.actions) + action) * (truth.objects.shape[2] + 1) + role
    for correct, true in ((correct_1, true_1), (correct_2, true_2)):
        true[near[correct]] = first_to_match(key[correct], rows.scores[near[correct]])
    return RoleMatches(counted, true_1, true_2)


def class_table(truth: VCOCOTruth) -> np.ndarray:
    """Class of each action and role, (A, 1 + R): object roles first, then agents; -1: none."""
    table = np.full((len(truth.actions), truth.objects.shape[2] + 1), -1, dtype=np.int64)
    for index, (action, role) in enumerate(truth.role_classes):
        table[action, role] = index
    table[:, 0] = len(truth.role_classes) + np.arange(len(truth.actions))
    return table


def score_roles(
    truth: VCOCOTruth, classes: np.ndarray, scores: np.ndarray, true: np.ndarray
) -> VCOCOResult:
    """Rank matched detections of one scenario and average.

    Args:
        truth: for the positives.
        classes: (K,) from `class_table`.
        scores: (K,); ties keep the order of the rows.
        true: (K,) bool.

    Returns:
        Results of role classes and agents together; `part` separates them.
    """
    of_action = truth.labels.sum(axis=0)
    of_role = of_action[[action for action, _ in truth.role_classes]]
    positives = np.concatenate((of_role, of_action)).astype(np.int64)
    names = truth.role_names + list(truth.actions)
    (points,) = curves(classes, scores, true, len(names))
    # The script divides by the number of positives: no positives, no AP.
    ap = np.where(positives > 0, per_class(points, positives, all_points), np.nan)
    recall = np.bincount(points.classes, minlength=len(names)) / np.maximum(positives, 1)
    counts = np.bincount(classes, minlength=len(names))
    return VCOCOResult(names, ap, recall, positives, counts, points, *_means(names, ap))


def part(result: VCOCOResult, classes: slice) -> VCOCOResult:
    """The result of some classes only, with their own means."""
    first, stop, _ = classes.indices(len(result.names))
    inside = (result.curve.classes >= first) & (result.curve.classes < stop)
    points = Curve(*(values[inside] for values in result.curve))
    points = points._replace(classes=points.classes - first)
    names, ap = result.names[classes], result.ap[classes]
    numbers = (result.recall[classes], result.positives[classes], result.detections[classes])
    return VCOCOResult(names, ap, *numbers, points, *_means(names, ap))


def score_vcoco(truth: VCOCOTruth, rows: RoleTable) -> dict[str, VCOCOResult]:
    """Match, rank and average: "scenario_1" and "scenario_2" (25 classes), "agent" (26 classes).

    Args:
        truth: every person of the images.
        rows: detections in any order of images; the rows of one image in the order of ties.
    """
    if len(rows.scores) and (np.diff(rows.images) < 0).any():
        order = np.argsort(rows.images, kind="stable")
        rows = RoleTable(*(column[order] for column in rows))
    matches = match_roles(truth, rows)
    classes = class_table(truth)[rows.actions, rows.roles]
    keep = matches.counted
    return score_evaluations(
        truth, classes[keep], rows.scores[keep], matches.true_1[keep], matches.true_2[keep]
    )


def score_evaluations(
    truth: VCOCOTruth,
    classes: np.ndarray,
    scores: np.ndarray,
    true_1: np.ndarray,
    true_2: np.ndarray,
) -> dict[str, VCOCOResult]:
    """As `score_vcoco`, of matched detections in the order of images, without the dropped ones."""
    roles = len(truth.role_classes)
    first = score_roles(truth, classes, scores, true_1)
    second = score_roles(truth, classes, scores, true_2)
    return {
        "scenario_1": part(first, slice(0, roles)),
        "scenario_2": part(second, slice(0, roles)),
        "agent": part(first, slice(roles, None)),
    }


def _persons(truth: VCOCOTruth, rows: RoleTable) -> tuple[np.ndarray, np.ndarray]:
    """The person that each row is matched to, -1 for none, and the IoU."""
    total = len(rows.scores)
    if not total or not len(truth.images):
        return np.full(total, -1, dtype=np.int64), np.zeros(total)

    # A person's actions and roles are adjacent rows with the same box: match that box once.
    changes = np.ones(total, dtype=bool)
    changes[1:] = (np.diff(rows.images) != 0) | (rows.boxes_h[1:] != rows.boxes_h[:-1]).any(axis=1)
    first = np.flatnonzero(changes)
    boxes = rows.boxes_h[first].astype(np.float64)
    groups = group(truth.images)
    which = locate(groups, rows.images[first], len(truth.image_ids))
    met = np.flatnonzero(which >= 0)
    person, overlap = np.full(len(first), -1, dtype=np.int64), np.zeros(len(first))
    person[met], overlap[met] = best_match(
        groups,
        which[met],
        lambda row, annotation: pixel_iou(boxes[met[row]], truth.boxes[annotation]),
    )
    # Back from distinct boxes to rows.
    run = np.cumsum(changes) - 1
    return person[run], overlap[run]


def _correct_role(
    truth: VCOCOTruth, person: np.ndarray, action: np.ndarray, role: np.ndarray, boxes_o: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the role is correct in Scenario 1 and in Scenario 2.

    Where the person has no such object, Scenario 1 requires an empty role, Scenario 2 accepts any.
    """
    agent = role == 0
    obj = np.full(len(person), -1, dtype=np.int64)
    obj[~agent] = truth.objects[person[~agent], action[~agent], role[~agent] - 1]
    there = obj >= 0
    hit = np.zeros(len(person), dtype=bool)
    hit[there] = (
        pixel_iou(boxes_o[there].astype(np.float64), truth.object_boxes[obj[there]]) >= MIN_OVERLAP
    )
    # The script takes NaN and all zeros for an empty role.
    empty = np.isnan(boxes_o).all(axis=1) | (boxes_o == 0).all(axis=1)
    return agent | hit | (~there & empty), agent | hit | ~there


def _means(names: list[str], ap: np.ndarray) -> tuple[float, float]:
    reported = np.array([name != NOT_REPORTED for name in names], dtype=bool)
    return _mean(ap), _mean(ap[reported])


def _mean(ap: np.ndarray) -> float:
    known = ap[~np.isnan(ap)]
    return float(known.mean()) if len(known) else float("nan")
