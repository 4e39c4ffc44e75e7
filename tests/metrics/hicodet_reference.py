"""HICO-DET's metric in loops over plain numbers, from the definition. Slow on purpose."""


def pixel_overlap(a, b):
    """IoU of two 1-based inclusive boxes, counting pixels."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    of_a = (a[2] - a[0] + 1) * (a[3] - a[1] + 1)
    of_b = (b[2] - b[0] + 1) * (b[3] - b[1] + 1)
    return shared / (of_a + of_b - shared)


def shifted(box):
    x1, y1, x2, y2 = (float(value) for value in box)
    return (x1 + 1, y1 + 1, x2, y2)


def average_precision(verdicts, positives):
    """11-point AP of verdicts (True, False) in the order of the ranking."""
    if positives == 0 or not verdicts:
        return 0.0
    points, hits = [], 0
    for seen, verdict in enumerate(verdicts, start=1):
        hits += verdict
        points.append((hits / positives, hits / seen))
    total = 0.0
    for level in (0, 0.1, 0.2, 3 * 0.1, 0.4, 0.5, 0.6, 1 - 3 * 0.1, 0.8, 0.9, 1):
        total += max((precision for recall, precision in points if recall >= level), default=0.0)
    return total / 11


def class_ap(wanted, truths, detections, allowed=None):
    """AP of one HOI class.

    Args:
        wanted: the class.
        truths: for each image a list of (hoi, human box, object box), continuous boxes.
        detections: for each image a list of (hoi, human box, object box, score).
        allowed: the images that Known Object keeps, or None for all.
    """
    ranked = [
        (image, row)
        for image, rows in enumerate(detections)
        for row in rows
        if row[0] == wanted and (allowed is None or image in allowed)
    ]
    ranked.sort(key=lambda entry: -entry[1][3])  # Python sorts stably
    taken, verdicts = set(), []
    for image, (_, human, obj, _) in ranked:
        best, best_overlap = None, -1.0
        for number, (hoi, true_human, true_obj) in enumerate(truths[image]):
            if hoi != wanted:
                continue
            overlap = min(
                pixel_overlap(shifted(human), shifted(true_human)),
                pixel_overlap(shifted(obj), shifted(true_obj)),
            )
            if overlap > best_overlap:
                best, best_overlap = (image, number), overlap
        verdicts.append(best_overlap >= 0.5 and best not in taken)
        if verdicts[-1]:
            taken.add(best)
    positives = sum(hoi == wanted for image in truths for hoi, _, _ in image)
    return average_precision(verdicts, positives)


def all_ap(classes, truths, detections, labels=None, object_of=None):
    """AP of every class; with labels (a set of HOIs for each image) in the Known Object setting."""
    out = []
    for wanted in range(classes):
        allowed = None
        if labels is not None:
            obj = object_of[wanted]
            allowed = {
                i for i, hois in enumerate(labels) if any(object_of[hoi] == obj for hoi in hois)
            }
        out.append(class_ap(wanted, truths, detections, allowed))
    return out
