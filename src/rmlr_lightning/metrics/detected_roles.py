"""V-COCO's form of detections: a row per role."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rmlr_lightning.metrics.columns import column
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import vcoco_action_roles


class RoleDetections(NamedTuple):
    """Detected actions and roles of one image, in the order of ties."""

    image_id: int  # COCO's
    boxes_h: Float[Tensor, "K 4"]  # xyxy in pixels
    boxes_o: Float[Tensor, "K 4"]  # all NaN or all zero = an empty role
    actions: Int[Tensor, "K"]  # index into the 26 actions
    roles: Int[Tensor, "K"]  # 0 = agent, then the action's roles in the official order
    scores: Float[Tensor, "K"]


def role_detections(
    image_id: int, detections: Detections, action_roles: Sequence[tuple[int, int]] | None = None
) -> RoleDetections:
    """V-COCO's form of a HOI model's detections.

    Each row becomes a row of its action and role. Each person gets one agent row per action, with
    the best score of its pairs. Actions without objects (stand, walk, run, smile) get no rows, and
    no role is left empty: pairs have both boxes. Our reading of what two-stage methods report.

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

    # The agent rows: of each person (equal human boxes) and action the row with the best score.
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
