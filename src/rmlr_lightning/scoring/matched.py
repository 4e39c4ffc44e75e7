"""Matched detections of any data set in one shape: what bootstrap, comparison and breakdown work on.

Matching stays within an image, so leaving out images, or counting some twice, needs no new matching.
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
    """Detections with their verdicts, and the annotations they were judged by, as rows of classes and images."""

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
    absent: (
        float  # AP of a class without annotations: 0 in HICO-DET, NaN (not in the mean) in V-COCO
    )

    @property
    def positives(self) -> np.ndarray:
        """(C,) annotations of each class."""
        return np.bincount(self.truth_classes, minlength=len(self.names))

    def ap(self) -> np.ndarray:
        """(C,) AP of each class."""
        (points,) = curves(self.classes, self.scores, self.true, len(self.names))
        return np.where(
            self.positives > 0, per_class(points, self.positives, self.area), self.absent
        )

    def on(self, rows: np.ndarray, annotations: np.ndarray) -> "MatchedDetections":
        """The same with some detections and annotations only, given as (K,) and (G,) bool."""
        return self._replace(
            classes=self.classes[rows],
            images=self.images[rows],
            scores=self.scores[rows],
            true=self.true[rows],
            truth_classes=self.truth_classes[annotations],
            truth_images=self.truth_images[annotations],
        )


def mean_of(ap: np.ndarray) -> float:
    """Mean without NaN; NaN of nothing."""
    known = ap[~np.isnan(ap)]
    return float(known.mean()) if len(known) else float("nan")


def in_order(detections: PairTable, scores: np.ndarray) -> tuple[PairTable, np.ndarray]:
    """The detections that are HOIs of the vocabulary, image after image."""
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
    """Arguments of `score_hicodet`; {"default": ..., "known_object": ...}, the second where labels are given."""
    detections, scores = in_order(detections, scores)
    classes = len(vocabulary.hois)
    true, _ = match_annotations(truth, detections, scores, images, classes)
    rare = np.zeros(classes, dtype=bool)
    rare[list(vocabulary.rare)] = True
    means = {"full": np.ones(classes, dtype=bool), "rare": rare, "non_rare": ~rare}
    names = [vocabulary.hoi_name(hoi) for hoi in range(classes)]
    default = MatchedDetections(
        detections.hois, detections.images, scores, true, truth.hois, truth.images, images, names, means,
        eleven_points, 0.0,
    )  # fmt: skip
    out = {"default": default}
    if image_hois is not None:
        objects = np.array([obj for _, obj in vocabulary.hois], dtype=np.int64)
        inside = known_object_rows(
            detections.images, objects[detections.hois], image_hois, vocabulary
        )
        out["known_object"] = default.on(inside, np.ones(len(truth.hois), dtype=bool))
    return out


def matched_vcoco(truth: VCOCOTruth, rows: RoleTable) -> dict[str, MatchedDetections]:
    """Arguments of `score_vcoco`; {"scenario_1": ..., "scenario_2": ..., "agent": ...}."""
    order = np.argsort(rows.images, kind="stable")
    rows = RoleTable(*(column[order] for column in rows))
    matches = match_roles(truth, rows)
    classes = class_table(truth)[rows.actions, rows.roles]
    roles = truth.role_classes
    person, action = np.nonzero(truth.labels)
    of_role = [(person[action == a], index) for index, (a, _) in enumerate(roles)]
    role_persons = np.concatenate(
        [np.zeros(0, dtype=np.int64)] + [persons for persons, _ in of_role]
    )
    role_classes = np.repeat(np.arange(len(roles)), [len(persons) for persons, _ in of_role])
    reported = np.array([name != NOT_REPORTED for name in truth.role_names], dtype=bool)
    role_means = {"mean24": reported, "mean25": np.ones(len(roles), dtype=bool)}
    agent_means = {"mean26": np.ones(len(truth.actions), dtype=bool)}

    def scored(
        kind: np.ndarray,
        shift: int,
        true: np.ndarray,
        annotations: tuple,
        names: list[str],
        means: dict,
    ):
        keep = matches.counted & kind
        people, of = annotations
        return MatchedDetections(
            classes[keep] - shift, rows.images[keep], rows.scores[keep], true[keep], of, truth.images[people],
            len(truth.image_ids), names, means, all_points, float("nan"),
        )  # fmt: skip

    agent = rows.roles == 0
    in_roles, in_actions = (role_persons, role_classes), (person, action)
    return {
        "scenario_1": scored(~agent, 0, matches.true_1, in_roles, truth.role_names, role_means),
        "scenario_2": scored(~agent, 0, matches.true_2, in_roles, truth.role_names, role_means),
        "agent": scored(
            agent, len(roles), matches.true_1, in_actions, list(truth.actions), agent_means
        ),
    }
