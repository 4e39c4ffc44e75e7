"""From true and false positives to average precision, for many classes at once.

A point of a precision-recall curve at a false positive has the recall of the true positive before
it and a lower precision. Both averages use the best precision from some recall on. The points at
true positives are therefore enough, and only detections that may rank before one are sorted.
"""

from typing import NamedTuple

import numpy as np

# MATLAB's 0:0.1:1, to the last bit.
RECALL_LEVELS = np.array([0.0, 0.1, 0.2, 3 * 0.1, 0.4, 0.5, 0.6, 1 - 3 * 0.1, 0.8, 0.9, 1.0])


class Curve(NamedTuple):
    """The true positives of every class, in the order of their ranking."""

    classes: np.ndarray  # (T,) ascending
    true: np.ndarray  # (T,) true positives of the class up to this one, from 1
    ranked: np.ndarray  # (T,) detections of the class up to this one, from 1
    scores: np.ndarray  # (T,)


def ranking(classes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The order by class, then by score (descending), then by row.

    Args:
        classes: (K,) integers >= 0.
        scores: (K,) float32 or float64, without NaN.

    Returns:
        (K,) indices.
    """
    single = scores.astype(np.float32, copy=False)
    if len(scores) and (single is scores or np.array_equal(single, scores)):
        # (class, score, row) in one 64-bit integer where it fits: sorting numbers is much faster
        # than sorting indices. Adding 0 turns -0.0 into 0.0, which must rank as its equal.
        bits = (single + np.float32(0)).view(np.uint32)
        # The bits of positive floats sort like the floats, those of negative ones in reverse.
        falling = np.where(bits >> 31, bits, np.uint32(0x7FFFFFFF) - bits)
        falling -= falling.min()
        row_bits = (len(scores) - 1).bit_length()
        score_bits = int(falling.max()).bit_length()
        if int(classes.max()).bit_length() + score_bits + row_bits <= 64:
            packed = classes.astype(np.uint64)
            packed <<= np.uint64(score_bits)
            packed |= falling
            packed <<= np.uint64(row_bits)
            packed |= np.arange(len(scores), dtype=np.uint64)
            packed.sort()
            packed &= np.uint64((1 << row_bits) - 1)
            return packed.view(np.int64)
    return np.lexsort((-scores, classes))


def curves(
    classes: np.ndarray,
    scores: np.ndarray,
    true: np.ndarray,
    num_classes: int,
    subset: np.ndarray | None = None,
) -> list[Curve]:
    """Rank the detections of every class: all of them, and those of a subset.

    Args:
        classes: (K,) integers in [0, num_classes).
        scores: (K,), without NaN. Ties keep the order of the rows.
        true: (K,) bool.
        num_classes: how many.
        subset: (K,) bool, for a second curve of these rows only.

    Returns:
        One curve, or two.
    """
    keep = may_precede_true(classes, scores, true, num_classes)
    classes, scores, true = classes[keep], scores[keep], true[keep]
    order = ranking(classes, scores)
    counts = np.bincount(classes, minlength=num_classes)
    starts = np.cumsum(counts) - counts  # first position of each class in the ranking

    hits = np.flatnonzero(true[order])
    hit_classes = classes[order[hits]].astype(np.int64)
    hit_scores = scores[order[hits]]
    ranked = hits + 1 - starts[hit_classes]
    out = [_curve(hit_classes, ranked, hit_scores, num_classes)]

    if subset is not None:
        # The same ranking, in which only rows of the subset count.
        inside = subset[keep][order]
        before = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(inside)))
        kept = inside[hits]
        hit_classes, hit_scores, hits = hit_classes[kept], hit_scores[kept], hits[kept]
        ranked = before[hits + 1] - before[starts[hit_classes]]
        out.append(_curve(hit_classes, ranked, hit_scores, num_classes))
    return out


def may_precede_true(
    classes: np.ndarray, scores: np.ndarray, true: np.ndarray, num_classes: int
) -> np.ndarray:
    """Ascending indices of the rows that score as high as some true positive of their class."""
    lowest = np.full(num_classes, np.inf, dtype=scores.dtype)
    np.minimum.at(lowest, classes[true], scores[true])
    keep = scores >= lowest[classes]
    if np.isinf(scores[keep].max(initial=0)):
        # The bound of a class without true positives is inf, which scores of inf reach.
        keep &= (np.bincount(classes[true], minlength=num_classes) > 0)[classes]
    return np.flatnonzero(keep)


def _curve(classes: np.ndarray, ranked: np.ndarray, scores: np.ndarray, num_classes: int) -> Curve:
    first = np.searchsorted(classes, np.arange(num_classes))
    return Curve(classes, np.arange(1, len(classes) + 1) - first[classes], ranked, scores)


def eleven_points(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """HICO-DET's AP: mean over `RECALL_LEVELS` of the best precision from there on, 0 if none.

    Args:
        recall: (T, ...) ascending along the first axis. Trailing axes are independent curves.
        precision: (T, ...).

    Returns:
        (...) float64.
    """
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    # Recall levels that are never reached count as precision 0.
    envelope = np.concatenate((envelope, np.zeros((1, *envelope.shape[1:]))))
    reached = np.stack([np.count_nonzero(recall < level, axis=0) for level in RECALL_LEVELS])
    return np.take_along_axis(envelope, reached, axis=0).mean(axis=0)


def all_points(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """V-COCO's AP: area under the precision envelope. Arguments and result as `eleven_points`."""
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    return (np.diff(recall, axis=0, prepend=0.0) * envelope).sum(axis=0)


def per_class(points: Curve, positives: np.ndarray, area) -> np.ndarray:
    """AP of every class; 0 for a class without true positives.

    Args:
        points: the true positives.
        positives: (C,) number of annotations of each class.
        area: `eleven_points` or `all_points`.

    Returns:
        (C,) float64.
    """
    ap = np.zeros(len(positives))
    # The points are sorted by class: each class is a slice.
    bounds = np.searchsorted(points.classes, np.arange(len(positives) + 1))
    for index in np.flatnonzero(np.diff(bounds)):
        part = slice(bounds[index], bounds[index + 1])
        ap[index] = area(
            points.true[part] / positives[index], points.true[part] / points.ranked[part]
        )
    return ap
