"""V-COCO's metric in loops over dictionaries, from the definition. Slow on purpose."""

import math


def overlap(a, b):
    """IoU counting pixels."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if not (width > 0 and height > 0):
        return 0.0
    shared = width * height
    return shared / (
        (a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1) - shared
    )


def clean_box(entity, image):
    """The box of a COCO annotation, or None where it has no extent."""
    x, y, width, height = entity["bbox"]
    corners = [x, y, x + max(0, width - 1), y + max(0, height - 1)]
    limits = [image["width"] - 1, image["height"] - 1] * 2
    box = [min(limit, max(0, value)) for value, limit in zip(corners, limits, strict=True)]
    return box if entity["area"] > 0 and box[2] > box[0] and box[3] > box[1] else None


def persons_of(official, image_id):
    """The persons of an image: box, and None or {action: [object box or None per role]}."""
    coco, actions = official["coco"], official["vcoco"]
    image = next(image for image in coco["images"] if image["id"] == image_id)
    boxes = {e["id"]: clean_box(e, image) for e in coco["annotations"] if e["image_id"] == image_id}
    people = []
    for entity in coco["annotations"]:
        if (
            entity["image_id"] != image_id
            or entity["category_id"] != 1
            or boxes[entity["id"]] is None
        ):
            continue
        does = None
        for number, action in enumerate(actions):
            persons = action["ann_id"]
            for row, person in enumerate(persons):
                if person != entity["id"]:
                    continue
                does = {} if does is None else does
                if action["label"][row] == 1:
                    linked = [
                        action["role_object_id"][r * len(persons) + row]
                        for r in range(len(action["role_name"]))
                    ]
                    does[number] = [None] + [boxes.get(other) for other in linked[1:]]
        people.append((boxes[entity["id"]], does))
    return people


def area_under(verdicts, positives):
    """All-point AP with the precision envelope."""
    if positives == 0:
        return math.nan
    precisions, hits = [], 0
    for seen, verdict in enumerate(verdicts, start=1):
        hits += verdict
        precisions.append(hits / seen)
    return sum(max(precisions[i:]) / positives for i, verdict in enumerate(verdicts) if verdict)


def role_ap(official, detections, action, role, scenario):
    """AP of an action and role (0 = agent).

    Args:
        official: {"coco", "vcoco", "ids"}.
        detections: {image id: list of (human box, object box, action, role, score)}.
        action, role: which.
        scenario: 1 or 2.
    """
    people = {image_id: persons_of(official, image_id) for image_id in official["ids"]}
    ranked = [
        (image_id, row)
        for image_id in official["ids"]
        for row in detections.get(image_id, [])
        if row[2] == action and row[3] == role
    ]
    ranked.sort(key=lambda entry: -entry[1][4])
    covered, verdicts = set(), []
    for image_id, (human, obj, *_) in ranked:
        best, best_overlap = None, -1.0
        for number, (box, _) in enumerate(people[image_id]):
            if overlap(human, box) > best_overlap:
                best, best_overlap = number, overlap(human, box)
        if best is None:
            verdicts.append(False)
            continue
        does = people[image_id][best][1]
        if does is None:
            continue
        right = action in does and best_overlap >= 0.5 and (image_id, best) not in covered
        if right and role > 0:
            target = does[action][role]
            if target is not None:
                right = overlap(obj, target) >= 0.5
            elif scenario == 1:
                right = all(math.isnan(value) for value in obj) or all(value == 0 for value in obj)
        verdicts.append(right)
        if right:
            covered.add((image_id, best))
    positives = sum(
        does is not None and action in does for rows in people.values() for _, does in rows
    )
    return area_under(verdicts, positives)


def all_ap(official, detections, scenario):
    """{"hold-obj": AP, ...} of the object roles, or of the agents where the scenario is None."""
    out = {}
    for number, action in enumerate(official["vcoco"]):
        if scenario is None:
            out[action["action_name"]] = role_ap(official, detections, number, 0, 1)
            continue
        for role, name in list(enumerate(action["role_name"]))[1:]:
            out[f"{action['action_name']}-{name}"] = role_ap(
                official, detections, number, role, scenario
            )
    return out
