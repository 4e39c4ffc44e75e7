"""V-COCO's evaluation as a torchmetrics class: matched image by image, ranked at the end."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rmlr_lightning.metrics.per_image import PerImageMetric, column
from rmlr_lightning.metrics.vcoco import (
    RoleTable,
    VCOCOResult,
    class_table,
    match_roles,
    score_evaluations,
)
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import vcoco_action_roles


class RoleDetections(NamedTuple):
    """MatchedDetections actions and roles of one image, in the order of ties."""

    image_id: int  # COCO's
    boxes_h: Float[Tensor, "K 4"]  # xyxy in pixels
    boxes_o: Float[Tensor, "K 4"]  # all NaN or all zero = an empty role
    actions: Int[Tensor, "K"]  # index into the 26 actions
    roles: Int[Tensor, "K"]  # 0 = agent, then the action's roles in the official order
    scores: Float[Tensor, "K"]


class VCOCORoleAP(PerImageMetric):
    """Role AP of Scenario 1 and 2 and agent AP, equal on any batches, order and number of processes.

    The truth is given at once, because it holds what no batch does: persons without annotations, and images that are
    never detected on. An image that comes twice (a padding sampler) counts once.

    Args:
        truth: from `vcoco_truth`.
        prefix: put before every key, such as "val/".
    """

    # One entry a counted detection. `codes` is 4 * class + 2 * (true in Scenario 2) + (true in Scenario 1).
    scores: list[Tensor]
    codes: list[Tensor]
    images: list[Tensor]

    def __init__(self, truth: VCOCOTruth, prefix: str = "", **kwargs) -> None:
        rows = {"scores": (torch.float64, 0), "codes": (torch.int32, 0)}
        super().__init__(rows, truth.image_ids.tolist(), **kwargs)
        self.truth = truth
        self.prefix = prefix
        self._class_of = class_table(truth)
        self._image_of = {
            image_id: index for index, image_id in enumerate(truth.image_ids.tolist())
        }

    def update(self, detections: list[RoleDetections]) -> None:
        """Match a batch, one item an image.

        Raises:
            ValueError: an image that is not in the truth, a role that the action does not have, or a NaN score.
        """
        # An image twice in a batch would compete with itself for its persons.
        detections = list({int(item.image_id): item for item in reversed(detections)}.values())
        if not detections:
            return
        ids = [int(item.image_id) for item in detections]
        unknown = [image_id for image_id in ids if image_id not in self._image_of]
        if unknown:
            raise ValueError(f"image {unknown[0]} is not in the truth")
        found = [len(item.scores) for item in detections]
        actions, roles = column(detections, "actions"), column(detections, "roles")
        scores = column(detections, "scores")
        if np.isnan(scores).any():
            raise ValueError("detections hold NaN scores, which cannot be ranked")
        shape = self._class_of.shape
        inside = (actions >= 0) & (actions < shape[0]) & (roles >= 0) & (roles < shape[1])
        if not inside.all() or (self._class_of[actions, roles] < 0).any():
            raise ValueError(
                "detections hold an action, or a role of an action, that V-COCO does not have"
            )
        images = np.repeat(
            np.array([self._image_of[image_id] for image_id in ids], dtype=np.int64), found
        )
        boxes_h, boxes_o = column(detections, "boxes_h"), column(detections, "boxes_o")
        matches = match_roles(
            self.truth, RoleTable(images, boxes_h, boxes_o, actions, roles, scores)
        )
        codes = 4 * self._class_of[actions, roles] + 2 * matches.true_2 + matches.true_1
        image = np.repeat(np.arange(len(ids)), found)
        counts = np.bincount(image[matches.counted], minlength=len(ids))
        self.keep(ids, [counts], scores=scores[matches.counted], codes=codes[matches.counted])

    def compute(self) -> dict[str, Tensor]:
        """`role_ap_s1`, `role_ap_s2` over 24 action-roles, `role_ap_s1_official`, `role_ap_s2_official` over 25, and
        `agent_ap` over 26; in [0, 1]. `per_class` tells the rest.
        """
        self._results = self.results()
        first, second, agent = (
            self._results[name] for name in ("scenario_1", "scenario_2", "agent")
        )
        values = {
            "role_ap_s1": first.mean24,
            "role_ap_s2": second.mean24,
            "role_ap_s1_official": first.mean,
            "role_ap_s2_official": second.mean,
            "agent_ap": agent.mean,
        }
        return {self.prefix + name: self.tensor(np.array(value)) for name, value in values.items()}

    def per_class(self) -> dict[str, Tensor]:
        """`scenario_1_ap` (25,), and so on: ap, recall, positives, detections of scenario_1, scenario_2 and agent.

        Of all processes, so all of them must call it, unless `compute` has run since the last update.
        """
        self.compute()
        return {
            f"{evaluation}_{name}": self.tensor(getattr(result, name))
            for evaluation, result in self._results.items()
            for name in ("ap", "recall", "positives", "detections")
        }

    def results(self) -> dict[str, VCOCOResult]:
        """What `score_evaluations` returns, for the images of this process."""
        _, rows = self.gather()
        codes = rows["codes"]
        true_1, true_2 = (codes & 1).astype(bool), (codes & 2).astype(bool)
        return score_evaluations(self.truth, codes >> 2, rows["scores"], true_1, true_2)


def role_detections(
    image_id: int, detections: Detections, action_roles: Sequence[tuple[int, int]] | None = None
) -> RoleDetections:
    """What a HOI model says about an image, as V-COCO wants it.

    Each row becomes a row of its action and role. Each person gets one agent row an action, with the best score of
    its pairs. Nothing is said about actions without objects (stand, walk, run, smile) and no role is left empty: pairs
    have both boxes.

    Args:
        image_id: COCO's.
        detections: verbs index `action_roles`.
        action_roles: (action, role) of each verb; those of `vocabulary.vcoco()` if None.
    """
    pairs = np.array(
        vcoco_action_roles() if action_roles is None else action_roles, dtype=np.int64
    ).reshape(-1, 2)
    actions, roles = pairs[column([detections], "verbs")].T
    boxes_h, scores = column([detections], "boxes_h"), column([detections], "scores")
    _, person = np.unique(boxes_h, axis=0, return_inverse=True)
    keys = person.reshape(-1) * (pairs[:, 0].max(initial=0) + 1) + actions
    order = np.lexsort((-scores, keys))
    best = np.sort(order[np.diff(keys[order], prepend=-1) != 0])
    empty = np.full((len(best), 4), np.nan, dtype=np.float32)
    columns = (
        np.concatenate((boxes_h, boxes_h[best])),
        np.concatenate((column([detections], "boxes_o"), empty)),
        np.concatenate((actions, actions[best])),
        np.concatenate((roles, np.zeros(len(best), dtype=np.int64))),
        np.concatenate((scores, scores[best])),
    )
    return RoleDetections(image_id, *(torch.from_numpy(values) for values in columns))
