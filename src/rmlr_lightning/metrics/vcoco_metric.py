"""V-COCO's evaluation as a torchmetrics class: matched image by image, ranked at the end."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rmlr_lightning.metrics.base import TableRow
from rmlr_lightning.metrics.columns import column
from rmlr_lightning.metrics.detected_roles import RoleDetections, role_detections
from rmlr_lightning.metrics.per_image import PerImageMetric
from rmlr_lightning.metrics.vcoco import (
    RoleTable,
    VCOCOResult,
    class_table,
    match_roles,
    score_evaluations,
)
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth
from rmlr_lightning.types import Detections, Target


class VCOCORoleAP(PerImageMetric):
    """Role AP of Scenario 1 and 2 and agent AP, equal on any batches, order and processes.

    The truth comes with the constructor because it holds what no batch does: persons without
    annotations, and images without detections. Of a `Target` only the `image_id` is read. An image
    that comes twice (a padding sampler) counts once.

    Args:
        truth: from `vcoco_truth`.
        roles_of: (image id, detections of the image) -> `RoleDetections`. Another function may
            leave roles empty or score agents differently.
    """

    table = (
        TableRow("Scenario 1", {"24 roles": "role_ap_s1", "25 roles": "role_ap_s1_official"}),
        TableRow("Scenario 2", {"24 roles": "role_ap_s2", "25 roles": "role_ap_s2_official"}),
        TableRow("Agent", {"26 actions": "agent_ap"}),
    )
    # HICO-DET's mAP chooses the best epoch; as a result of V-COCO nobody reports it
    replaces = "hicodet"

    # One entry per counted detection. `codes` is 4 * class + 2 * (true in Scenario 2) + (true in
    # Scenario 1).
    scores: list[Tensor]
    codes: list[Tensor]
    images: list[Tensor]

    def __init__(
        self,
        truth: VCOCOTruth,
        roles_of: Callable[[int, Detections], RoleDetections] = role_detections,
        **kwargs,
    ) -> None:
        rows = {"scores": (torch.float64, 0), "codes": (torch.int32, 0)}
        super().__init__(rows, truth.image_ids.tolist(), **kwargs)
        self.truth = truth
        self.roles_of = roles_of
        self._class_of = class_table(truth)
        self._image_of = {
            image_id: index for index, image_id in enumerate(truth.image_ids.tolist())
        }

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Match a batch, one item per image.

        Raises:
            ValueError: unequal lengths, an image that is not in the truth, a role that the action
                does not have, or a NaN score.
        """
        if len(found) != len(targets):
            raise ValueError(
                f"{len(found)} detections for {len(targets)} targets: give one item per image"
            )
        # An image twice in a batch would compete with itself for its persons: the first stays.
        first: dict[int, Detections] = {}
        for item, target in zip(found, targets, strict=True):
            first.setdefault(int(target.image_id), item)
        if not first:
            return
        unknown = [image_id for image_id in first if image_id not in self._image_of]
        if unknown:
            raise ValueError(f"image {unknown[0]} is not in the truth")

        detections = [self.roles_of(image_id, item) for image_id, item in first.items()]
        rows = self._role_table(detections)
        matches = match_roles(self.truth, rows)

        # Rows matched to persons without annotations are dropped, as in the script.
        classes = self._class_of[rows.actions, rows.roles]
        codes = 4 * classes + 2 * matches.true_2 + matches.true_1
        number = np.repeat(np.arange(len(first)), [len(item.scores) for item in detections])
        counts = np.bincount(number[matches.counted], minlength=len(first))
        self.keep(
            list(first),
            [counts],
            scores=rows.scores[matches.counted],
            codes=codes[matches.counted],
        )

    def compute(self) -> dict[str, Tensor]:
        """`role_ap_s1` and `role_ap_s2` over 24 action-roles, `role_ap_s1_official` and
        `role_ap_s2_official` over 25, `agent_ap` over 26 actions; in [0, 1].

        `per_class` has the AP of each.
        """
        self._results = self.results()
        first, second = self._results["scenario_1"], self._results["scenario_2"]
        values = {
            "role_ap_s1": first.mean24,
            "role_ap_s2": second.mean24,
            "role_ap_s1_official": first.mean,
            "role_ap_s2_official": second.mean,
            "agent_ap": self._results["agent"].mean,
        }
        return {name: self.tensor(np.array(value)) for name, value in values.items()}

    def per_class(self) -> dict[str, Tensor]:
        """`scenario_1_ap` (25,) and so on: ap, recall, positives, detections of `scenario_1`,
        `scenario_2` and `agent`.

        Over all processes, so all of them must call it, unless `compute` ran since the last update.
        """
        self.compute()
        return {
            f"{evaluation}_{name}": self.tensor(getattr(result, name))
            for evaluation, result in self._results.items()
            for name in ("ap", "recall", "positives", "detections")
        }

    def results(self) -> dict[str, VCOCOResult]:
        """As `score_evaluations`, for the images of this process."""
        _, rows = self.gather()
        codes = rows["codes"]
        true_1, true_2 = (codes & 1).astype(bool), (codes & 2).astype(bool)
        return score_evaluations(self.truth, codes >> 2, rows["scores"], true_1, true_2)

    def _role_table(self, detections: list[RoleDetections]) -> RoleTable:
        """The checked rows of a batch; images as index into the truth."""
        actions, roles = column(detections, "actions"), column(detections, "roles")
        scores = column(detections, "scores")
        if np.isnan(scores).any():
            raise ValueError("detections hold NaN scores, which cannot be ranked")

        num_actions, num_roles = self._class_of.shape
        inside = (actions >= 0) & (actions < num_actions) & (roles >= 0) & (roles < num_roles)
        if not inside.all() or (self._class_of[actions, roles] < 0).any():
            raise ValueError(
                "detections hold an action, or a role of an action, that V-COCO does not have"
            )

        numbers = [self._image_of[item.image_id] for item in detections]
        images = np.repeat(
            np.array(numbers, dtype=np.int64), [len(item.scores) for item in detections]
        )
        boxes_h, boxes_o = column(detections, "boxes_h"), column(detections, "boxes_o")
        return RoleTable(images, boxes_h, boxes_o, actions, roles, scores)
