"""V-COCO's evaluation by the definition of the authors' script, as pure functions on arrays.

Source: github.com/s-gupta/v-coco, `vsrl_eval.py`; where it crashes (images without persons, actions without positives
or detections) docs/EVALUATION.md says what is done instead.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.metrics.average_precision import Curve, all_points, curves, per_class
from rmlr_lightning.metrics.boxes import pixel_iou
from rmlr_lightning.metrics.matching import best_match, claim, group, locate
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth

MIN_OVERLAP = 0.5
NOT_REPORTED = "point-instr"  # what papers leave out of the mean: 24 action-roles of 25


class RoleTable(NamedTuple):
    """Detections of many images: one action and role a row."""

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
    """Per-class numbers of one of the three evaluations. AP in [0, 1], NaN for a class without positives."""

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

    Each is matched to the person of its image with the largest IoU, the first on ties. It is dropped if that person
    has no annotations, and true if that person does the action, IoU >= 0.5, the role is right, and nobody ranked before
    it (by score, then by row) took the same person for the same action and role.

    Args:
        truth: every person of the images.
        rows: K detections, those of an image in the order of ties.
    """
    total = len(rows.scores)
    person, overlap = _persons(truth, rows)
    met = person >= 0
    counted = np.ones(total, dtype=bool)
    counted[met] = truth.annotated[person[met]]
    true_1, true_2 = np.zeros(total, dtype=bool), np.zeros(total, dtype=bool)
    near = np.flatnonzero(met & (overlap >= MIN_OVERLAP))
    near = near[truth.labels[person[near], rows.actions[near]]]
    who, action, role = (
        person[near],
        rows.actions[near].astype(np.int64),
        rows.roles[near].astype(np.int64),
    )
    right_1, right_2 = _right_role(truth, who, action, role, rows.boxes_o[near])
    who_does_what = (who * len(truth.actions) + action) * (truth.objects.shape[2] + 1) + role
    for right, true in ((right_1, true_1), (right_2, true_2)):
        true[near[right]] = claim(who_does_what[right], rows.scores[near[right]])
    return RoleMatches(counted, true_1, true_2)


def class_table(truth: VCOCOTruth) -> np.ndarray:
    """(A, 1 + R) int64: the class of an action and role, the object roles first and then the agents; -1 for none."""
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
        classes: (K,) index into the role classes, or for agents that and the number of role classes more.
        scores: (K,); ties keep the order of the rows.
        true: (K,) bool.

    Returns:
        Numbers of role classes and agents together; `part` cuts them apart.
    """
    does = truth.labels.sum(axis=0)
    positives = np.concatenate((does[[a for a, _ in truth.role_classes]], does)).astype(np.int64)
    names = truth.role_names + list(truth.actions)
    (points,) = curves(classes, scores, true, len(names))
    ap = np.where(positives > 0, per_class(points, positives, all_points), np.nan)
    recall = np.bincount(points.classes, minlength=len(names)) / np.maximum(positives, 1)
    counts = np.bincount(classes, minlength=len(names))
    return VCOCOResult(names, ap, recall, positives, counts, points, *_means(names, ap))


def part(result: VCOCOResult, chosen: slice) -> VCOCOResult:
    """The result of some classes alone, with its own means."""
    first, stop, _ = chosen.indices(len(result.names))
    inside = (result.curve.classes >= first) & (result.curve.classes < stop)
    points = Curve(*(values[inside] for values in result.curve))
    points = points._replace(classes=points.classes - first)
    names, ap = result.names[chosen], result.ap[chosen]
    numbers = (result.recall[chosen], result.positives[chosen], result.detections[chosen])
    return VCOCOResult(names, ap, *numbers, points, *_means(names, ap))


def score_vcoco(truth: VCOCOTruth, rows: RoleTable) -> dict[str, VCOCOResult]:
    """All of it: {"scenario_1": 25 classes, "scenario_2": 25 classes, "agent": 26 classes}.

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
    """`score_vcoco` of detections that are matched, in the order of images, without the dropped ones."""
    roles = len(truth.role_classes)
    first = score_roles(truth, classes, scores, true_1)
    second = score_roles(truth, classes, scores, true_2)
    return {
        "scenario_1": part(first, slice(0, roles)),
        "scenario_2": part(second, slice(0, roles)),
        "agent": part(first, slice(roles, None)),
    }


def _persons(truth: VCOCOTruth, rows: RoleTable) -> tuple[np.ndarray, np.ndarray]:
    # A person's actions and roles come one after the other with the same box: match that box once.
    total = len(rows.scores)
    if not total or not len(truth.images):
        return np.full(total, -1, dtype=np.int64), np.zeros(total)
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
    run = np.cumsum(changes) - 1
    return person[run], overlap[run]


def _right_role(
    truth: VCOCOTruth, person: np.ndarray, action: np.ndarray, role: np.ndarray, boxes_o: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    agent = role == 0
    obj = np.full(len(person), -1, dtype=np.int64)
    obj[~agent] = truth.objects[person[~agent], action[~agent], role[~agent] - 1]
    there = obj >= 0
    hit = np.zeros(len(person), dtype=bool)
    hit[there] = (
        pixel_iou(boxes_o[there].astype(np.float64), truth.object_boxes[obj[there]]) >= MIN_OVERLAP
    )
    empty = np.isnan(boxes_o).all(axis=1) | (boxes_o == 0).all(axis=1)
    return agent | hit | (~there & empty), agent | hit | ~there


def _means(names: list[str], ap: np.ndarray) -> tuple[float, float]:
    reported = np.array([name != NOT_REPORTED for name in names], dtype=bool)
    return _mean(ap), _mean(ap[reported])


def _mean(ap: np.ndarray) -> float:
    known = ap[~np.isnan(ap)]
    return float(known.mean()) if len(known) else float("nan")
