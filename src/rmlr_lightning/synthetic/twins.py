"""Twins: two images with the same place, people and boxes, and different verbs."""

from rmlr_lightning.synthetic.config import ImageSpec
from rmlr_lightning.synthetic.files import file_name

# IoU of the drawn boxes from which two images count as twins. The mean of two boxes that overlap
# by this much has an IoU of about 0.94 with each.
MIN_IOU = 0.88


def iou(a, b) -> float:
    """IoU of two xyxy boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(width, 0) * max(height, 0)
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return intersection / (area_a + area_b - intersection)


def unite_twins(specs: list[ImageSpec], annotations: list[dict]) -> list[dict]:
    """Gives both images of each twin pair the mean of their boxes, in place.

    Pairs whose person or object boxes overlap by less than MIN_IOU stay as they are.

    Returns:
        The twins of `world.json`: images, boxes (xyxy, pixels), object and both images' verbs.
    """
    # A twin has the seed of its sibling.
    sibling_of = {}
    for k, spec in enumerate(specs):
        if spec.sibling is None and spec.zones:
            sibling_of[spec.seed] = k

    twins = []
    for k, spec in enumerate(specs):
        if spec.sibling is None:
            continue
        first = sibling_of[spec.seed]
        a, b = annotations[first], annotations[k]

        # The first person and its object are those that differ in the verb.
        obj = a["pairs"][0]["object"]
        human_boxes = (a["persons"][0], b["persons"][0])
        object_boxes = (a["objects"][obj]["box"], b["objects"][obj]["box"])
        if min(iou(*human_boxes), iou(*object_boxes)) < MIN_IOU:
            continue

        box_h = mean_box(*human_boxes)
        box_o = mean_box(*object_boxes)
        for image in (a, b):
            image["persons"][0] = list(box_h)
            image["objects"][obj]["box"] = list(box_o)

        twins.append(
            {
                "split": spec.split,
                "image_a": file_name(spec.split, specs[first].number),
                "image_b": file_name(spec.split, spec.number),
                "box_h": [round(v, 2) for v in box_h],
                "box_o": [round(v, 2) for v in box_o],
                "object": spec.persons[0].pairs[0].object,
                "verbs_a": a["pairs"][0]["verbs"],
                "verbs_b": b["pairs"][0]["verbs"],
            }
        )
    return twins


def mean_box(a: list[float], b: list[float]) -> list[float]:
    """The mean of two boxes, edge by edge."""
    return [(p + q) / 2 for p, q in zip(a, b, strict=True)]
