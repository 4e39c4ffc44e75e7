"""The inputs of the probes of benchmarks/world.py: boxes, poses and crops of all pairs."""

import cv2
import numpy as np
import torch

from rmlr_lightning.synthetic.world import classes

# Pixels a side of a crop around a person.
CROP = 64


def box_features(h: list[float], o: list[float], size: tuple[int, int]) -> list[float]:
    """Positions, sizes, offsets and overlap of the boxes of a pair (xyxy), relative and absolute.

    `size` is width and height of the image in pixels.
    """
    width, height = size
    hw, hh = h[2] - h[0], h[3] - h[1]
    ow, oh = o[2] - o[0], o[3] - o[1]
    hx, hy = (h[0] + h[2]) / 2, (h[1] + h[3]) / 2
    ox, oy = (o[0] + o[2]) / 2, (o[1] + o[3]) / 2
    dx, dy = (ox - hx) / hh, (oy - hy) / hh

    overlap_width = max(min(h[2], o[2]) - max(h[0], o[0]), 0)
    overlap_height = max(min(h[3], o[3]) - max(h[1], o[1]), 0)
    intersection = overlap_width * overlap_height

    # world_probes.py refers to some of these by index.
    return [
        hx / width,
        hy / height,
        ox / width,
        oy / height,
        hw / width,
        hh / height,
        ow / width,
        oh / height,
        hw / hh,
        ow / max(oh, 1),
        dx,
        abs(dx),
        dy,
        ow / hh,
        oh / hh,
        (o[1] - h[1]) / hh,
        (o[3] - h[3]) / hh,
        (o[0] - h[0]) / hh,
        (o[2] - h[2]) / hh,
        intersection / (hw * hh),
        intersection / max(ow * oh, 1),
        np.log(ow * oh / (hw * hh)),
    ]


def pose_features(joints: dict, h: list[float], o: list[float]) -> list[float]:
    """The true pose of a person relative to its box and to the object's, and the flags.

    `joints` as in the annotations of `paint_scene`; boxes are xyxy in pixels.
    """
    points = np.array(joints["points"])
    scale = joints["scale"]
    facing = [-1.0 if joints["flip"] else 1.0, 1]

    # Joints from the middle of the person, and the object's middle from each joint.
    middle = np.array([(h[0] + h[2]) / 2, (h[1] + h[3]) / 2])
    target = np.array([(o[0] + o[2]) / 2, (o[1] + o[3]) / 2])
    own = (points - middle) / scale * facing
    to_object = (target - points) / scale * facing

    # Distance of each joint to the object's box.
    outside = np.maximum(np.maximum([o[0], o[1]] - points, points - [o[2], o[3]]), 0)
    gap = np.hypot(outside[:, 0], outside[:, 1]) / scale

    # Cosine of the gaze (the last but one point is 0.1 along it) with the way to the object.
    head, gaze_at = points[0], points[-2]
    gaze = (gaze_at - head) / max(np.linalg.norm(gaze_at - head), 1e-6)
    aim = (target - head) / max(np.linalg.norm(target - head), 1e-6)

    return [
        *own.ravel(),
        *to_object.ravel(),
        *gap,
        *np.exp(-gap / 0.04),
        float(gaze @ aim),
        *joints["flags"],
    ]


def pairs_of(annotations: list[dict], size: tuple[int, int]) -> dict:
    """All person-object pairs of the images.

    Returns:
        `boxes` (P, 22) and `pose` (P, F) features, `objects` (P,) indices, `target` (P, V) of 0
        and 1, and `where`: image, person and object index of each pair.
    """
    names = classes()
    boxes, pose, objects, target, where = [], [], [], [], []
    for k, image in enumerate(annotations):
        verbs_of = {(pair["person"], pair["object"]): pair["verbs"] for pair in image["pairs"]}
        for i, h in enumerate(image["persons"]):
            for j, obj in enumerate(image["objects"]):
                boxes.append(box_features(h, obj["box"], size))
                pose.append(pose_features(image["joints"][i], h, obj["box"]))
                objects.append(names.objects.index(obj["name"]))

                row = np.zeros(len(names.verbs), np.float32)
                row[[names.verbs.index(verb) for verb in verbs_of.get((i, j), ())]] = 1
                target.append(row)
                where.append((k, i, j))

    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32),
        "pose": torch.tensor(pose, dtype=torch.float32),
        "objects": torch.tensor(objects),
        "target": torch.tensor(np.array(target)),
        "where": where,
    }


def crops(images: list[np.ndarray], annotations: list[dict], where: list) -> torch.Tensor:
    """uint8 (P, 5, CROP, CROP): the square around the person, with the masks of both boxes."""
    out = np.zeros((len(where), CROP, CROP, 5), np.uint8)
    for n, (k, i, j) in enumerate(where):
        # Images are half as large as the annotations' frame.
        h = np.array(annotations[k]["persons"][i]) / 2
        o = np.array(annotations[k]["objects"][j]["box"]) / 2

        side = 1.25 * max(h[2] - h[0], h[3] - h[1])
        x0, y0 = (h[0] + h[2] - side) / 2, (h[1] + h[3] - side) / 2
        scale = CROP / side
        move = np.array([[scale, 0, -x0 * scale], [0, scale, -y0 * scale]])
        out[n, ..., :3] = cv2.warpAffine(images[k], move, (CROP, CROP), flags=cv2.INTER_LINEAR)

        for channel, box in ((3, h), (4, o)):
            corners = ((box - [x0, y0, x0, y0]) * CROP / side).round().astype(int)
            left, top, right, bottom = np.clip(corners, 0, CROP)
            out[n, top:bottom, left:right, channel] = 255
    return torch.tensor(out).permute(0, 3, 1, 2).contiguous()
