"""V-COCO's ground truth as arrays, with the boxes that the authors' script makes of COCO's.

Source: github.com/s-gupta/v-coco, `vsrl_eval.py`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

PERSON = 1  # COCO category id


class VCOCOTruth(NamedTuple):
    """Every person of the images to score, annotated with actions or not.

    Letters in shapes: I images, P persons (within an image in the order of the COCO file), A
    actions, R object roles, E boxes of objects.
    """

    actions: tuple[str, ...]
    roles: tuple[tuple[str, ...], ...]  # of each action; the first is "agent"
    image_ids: np.ndarray  # (I,) int64, in the order of ties
    images: np.ndarray  # (P,) int64 index into image_ids
    boxes: np.ndarray  # (P, 4) float64 xyxy, both corners inclusive
    annotated: np.ndarray  # (P,) bool; detections of the others are dropped
    labels: np.ndarray  # (P, A) bool
    objects: np.ndarray  # (P, A, R) int64 index into object_boxes, -1 = no such object
    object_boxes: np.ndarray  # (E, 4) float64

    @property
    def role_classes(self) -> list[tuple[int, int]]:
        """(action, role) of the object roles in the official order: 25 of them."""
        return [(a, r) for a, roles in enumerate(self.roles) for r in range(1, len(roles))]

    @property
    def role_names(self) -> list[str]:
        """ "hold-obj", "sit-instr", ... of `role_classes`."""
        return [f"{self.actions[a]}-{self.roles[a][r]}" for a, r in self.role_classes]


def vcoco_truth(
    coco: dict[str, Any], actions: Sequence[dict[str, Any]], ids: Sequence[int]
) -> VCOCOTruth:
    """Make the arrays from the content of the official files.

    Args:
        coco: COCO instances ("images", "annotations").
        actions: `vcoco_*.json`: for each action `action_name`, `role_name`, `image_id`, `ann_id`,
            `label` and `role_object_id`.
        ids: the images to score, in the order of ties; other images are left out.

    Raises:
        KeyError: an id that `coco` has no image of.
    """
    size_of = {image["id"]: (image["height"], image["width"]) for image in coco["images"]}
    place = {int(image_id): index for index, image_id in enumerate(ids)}
    sizes = np.array([size_of[image_id] for image_id in place], dtype=np.float64).reshape(-1, 2)
    entities = [
        entity
        for entity in coco["annotations"]
        if entity["image_id"] in place and not entity.get("ignore")
    ]
    image = np.array([place[entity["image_id"]] for entity in entities], dtype=np.int64)
    xywh = np.array([entity["bbox"] for entity in entities], dtype=np.float64).reshape(-1, 4)
    boxes = _clipped(xywh, sizes[image])
    area = np.array(
        [entity.get("area", entity["bbox"][2] * entity["bbox"][3]) for entity in entities]
    )
    # The script ignores boxes without area and boxes that are one pixel wide or high.
    valid = (area > 0) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    box_of = {entities[row]["id"]: row for row in np.flatnonzero(valid).tolist()}

    person = valid & (
        np.array([entity["category_id"] for entity in entities], dtype=np.int64) == PERSON
    )
    rows = np.flatnonzero(person)
    # Sorted by image; within an image the order of the COCO file decides ties of IoU.
    rows = rows[np.argsort(image[rows], kind="stable")]
    person_of = {entities[row]["id"]: index for index, row in enumerate(rows.tolist())}
    annotated = np.zeros(len(rows), dtype=bool)
    names = tuple(action["action_name"] for action in actions)
    roles = tuple(tuple(action["role_name"]) for action in actions)
    labels = np.zeros((len(rows), len(actions)), dtype=bool)
    objects = np.full(
        (len(rows), len(actions), max(len(r) for r in roles) - 1 if roles else 0),
        -1,
        dtype=np.int64,
    )
    for a, action in enumerate(actions):
        # Annotations of other images and boxes without area are not in `person_of`.
        found = np.array([person_of.get(entity, -1) for entity in action["ann_id"]], dtype=np.int64)
        # Every action lists the same persons: the annotated ones.
        if a == 0:
            annotated[found[found >= 0]] = True
        done = (found >= 0) & (np.array(action["label"], dtype=np.int64).reshape(-1) == 1)
        labels[found[done], a] = True
        # One block of annotation ids per role, one after the other.
        linked = np.array(action["role_object_id"], dtype=np.int64).reshape(len(roles[a]), -1)
        for r in range(1, len(roles[a])):
            objects[found[done], a, r - 1] = [
                box_of.get(entity, -1) for entity in linked[r, done].tolist()
            ]
    image_ids = np.array(list(place), dtype=np.int64)
    return VCOCOTruth(
        names, roles, image_ids, image[rows], boxes[rows], annotated, labels, objects, boxes
    )


def _clipped(xywh: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Inclusive corners inside the image, as COCO's API and the authors' script compute them."""
    x1, y1, width, height = xywh.T
    corners = np.stack(
        (x1, y1, x1 + np.maximum(0.0, width - 1.0), y1 + np.maximum(0.0, height - 1.0)), axis=1
    )
    return np.minimum(np.maximum(corners, 0.0), sizes[:, [1, 0, 1, 0]] - 1.0)
