"""Matched detections of any data set in one form, for bootstrap, comparison and breakdown.

Matching stays within an image: leaving out images, or counting some twice, needs no new matching.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rmlr_lightning.metrics.average_precision import all_points, curves, eleven_points, per_class
from rmlr_lightning.metrics.hicodet import PairTable, known_object_rows, match_annotations
from rmlr_lightning.metrics.vcoco import NOT_REPORTED, RoleTable, class_table, match_roles
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth
from rmlr_lightning.vocabulary import Vocabulary


class MatchedDetections(NamedTuple):
    """Detections with their verdicts, and all annotations, as rows of classes and images."""

    classes: np.ndarray  # (K,) integers in [0, C)
    images: np.ndarray  # (K,) integers, ascending: the order of ties
    scores: np.ndarray  # (K,)
    true: np.ndarray  # (K,) bool
    truth_classes: np.ndarray  # (G,) integers
    truth_images: np.ndarray  # (G,) integers
    num_images: int
    names: list[str]  # C of them
    means: dict[str, np.ndarray]  # name of a mean -> (C,) bool, the classes it is over
    area: Callable[[np.ndarray, np.ndarray], np.ndarray]  # `eleven_points` or `all_points`
    absent: float  # AP of a class without annotations: 0 (HICO-DET) or NaN, not averaged (V-COCO)

    @property
    def positives(self) -> np.ndarray:
        """(C,) annotations of each class."""
        return np.bincount(self.truth_classes, minlength=len(self.names))

    def ap(self) -> np.ndarray:
        """(C,) AP of each class."""
        (points,) = curves(self.classes, self.scores, self.true, len(self.names))
        ap = per_class(points, self.positives, self.area)
        return np.where(self.positives > 0, ap, self.absent)

    def subset(self, rows: np.ndarray, annotations: np.ndarray) -> "MatchedDetections":
        """Some of the detections and annotations only, by (K,) and (G,) bool."""
        return self._replace(
            classes=self.classes[rows],
            images=self.images[rows],
            scores=self.scores[rows],
            true=self.true[rows],
            truth_classes=self.truth_classes[annotations],
            truth_images=self.truth_images[annotations],
        )


def mean_of(ap: np.ndarray) -> float:
    """Mean without NaN; NaN if no value is left."""
    known = ap[~np.isnan(ap)]
    return float(known.mean()) if len(known) else float("nan")


def in_order(detections: PairTable, scores: np.ndarray) -> tuple[PairTable, np.ndarray]:
    """The detections that are HOIs of the vocabulary, sorted by image."""
    order = np.argsort(detections.images, kind="stable")
    order = order[detections.hois[order] >= 0]
    return PairTable(*(column[order] for column in detections)), scores[order]


def matched_hicodet(
    truth: PairTable,
    detections: PairTable,
    scores: np.ndarray,
    images: int,
    vocabulary: Vocabulary,
    image_hois: list | None = None,
) -> dict[str, MatchedDetections]:
    """HICO-DET detections after matching; arguments as `score_hicodet`.

    Returns:
        "default", and with `image_hois` also "known_object".
    """
    detections, scores = in_order(detections, scores)
    classes = len(vocabulary.hois)
    true, _ = match_annotations(truth, detections, scores, images, classes)
    rare = np.zeros(classes, dtype=bool)
    rare[list(vocabulary.rare)] = True
    default = MatchedDetections(
        classes=detections.hois,
        images=detections.images,
        scores=scores,
        true=true,
        truth_classes=truth.hois,
        truth_images=truth.images,
        num_images=images,
        names=[vocabulary.hoi_name(hoi) for hoi in range(classes)],
        means={"full": np.ones(classes, dtype=bool), "rare": rare, "non_rare": ~rare},
        area=eleven_points,
        absent=0.0,
    )
    out = {"default": default}
    if image_hois is not None:
        objects = np.array([obj for _, obj in vocabulary.hois], dtype=np.int64)
        # The annotations are the same in both settings: an image with an annotated pair also has
        # the label of its object.
        inside = known_object_rows(
            detections.images, objects[detections.hois], image_hois, vocabulary
        )
        out["known_object"] = default.subset(inside, np.ones(len(truth.hois), dtype=bool))
    return out


def matched_vcoco(truth: VCOCOTruth, rows: RoleTable) -> dict[str, MatchedDetections]:
    """V-COCO detections after matching: "scenario_1", "scenario_2" and "agent".

    Arguments as `score_vcoco`.
    """
    order = np.argsort(rows.images, kind="stable")
    rows = RoleTable(*(column[order] for column in rows))
    matches = match_roles(truth, rows)
    classes = class_table(truth)[rows.actions, rows.roles]
    is_agent = rows.roles == 0
    roles = truth.role_classes

    # Annotations: a person that does an action is one for the agent and one for each role.
    person, action = np.nonzero(truth.labels)
    role_persons = [person[action == a] for a, _ in roles]
    role_classes = np.repeat(np.arange(len(roles)), [len(persons) for persons in role_persons])
    role_images = truth.images[np.concatenate([np.zeros(0, dtype=np.int64), *role_persons])]

    def matched(kept: np.ndarray, first: int, true: np.ndarray, **of_evaluation):
        kept = matches.counted & kept
        return MatchedDetections(
            classes=classes[kept] - first,
            images=rows.images[kept],
            scores=rows.scores[kept],
            true=true[kept],
            num_images=len(truth.image_ids),
            area=all_points,
            absent=float("nan"),
            **of_evaluation,
        )

    reported = np.array([name != NOT_REPORTED for name in truth.role_names], dtype=bool)
    of_roles = {
        "truth_classes": role_classes,
        "truth_images": role_images,
        "names": truth.role_names,
        "means": {"mean24": reported, "mean25": np.ones(len(roles), dtype=bool)},
    }
    of_agents = {
        "truth_classes": action,
        "truth_images": truth.images[person],
        "names": list(truth.actions),
        "means": {"mean26": np.ones(len(truth.actions), dtype=bool)},
    }
    return {
        "scenario_1": matched(~is_agent, 0, matches.true_1, **of_roles),
        "scenario_2": matched(~is_agent, 0, matches.true_2, **of_roles),
        "agent": matched(is_agent, len(roles), matches.true_1, **of_agents),
    }
