"""Matching of detections to annotations, shared by HICO-DET and V-COCO."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

# Overlaps computed at once: few enough for the processor's cache, whatever an image holds.
CHUNK = 1 << 17


class Groups(NamedTuple):
    """Annotations by key. A key stands for what may be matched: an image, or an image and a class.

    Within a group annotations keep their order: the first wins a tie of overlap.
    """

    keys: np.ndarray  # (N,) int64, distinct and ascending
    starts: np.ndarray  # (N + 1,) int64 into members
    members: np.ndarray  # (G,) int64, indices of annotations


def group(keys: np.ndarray) -> Groups:
    """Group annotations by their keys, (G,) integers."""
    members = np.argsort(keys, kind="stable")
    distinct, starts = np.unique(keys[members], return_index=True)
    return Groups(distinct.astype(np.int64), np.append(starts, len(keys)).astype(np.int64), members)


def locate(groups: Groups, keys: np.ndarray, size: int) -> np.ndarray:
    """The group of each key, -1 where there is none.

    Args:
        groups: of annotations.
        keys: (K,) integers in [0, size).
        size: of the space of keys.

    Returns:
        (K,) int.
    """
    # A table is faster than a search, but must not be much larger than the input.
    if size <= 4 * len(keys) + (1 << 20):
        table = np.full(size, -1, dtype=np.int32)
        table[groups.keys] = np.arange(len(groups.keys), dtype=np.int32)
        return table[keys]
    position = np.searchsorted(groups.keys, keys)
    found = position < len(groups.keys)
    found[found] = groups.keys[position[found]] == keys[found]
    return np.where(found, position, -1)


def best_match(
    groups: Groups, which: np.ndarray, overlap: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """For each row the annotation of its group with the largest overlap, the first on ties.

    Args:
        groups: of annotations.
        which: (R,) the group of each row, all >= 0.
        overlap: (rows, annotations) -> float64 overlaps, on index arrays of equal length.

    Returns:
        (R,) int64 annotations, and (R,) float64 their overlaps.
    """
    best = np.empty(len(which), dtype=np.int64)
    largest = np.empty(len(which), dtype=np.float64)
    for begin, end, rows, candidates, first in joined(groups, which):
        values = overlap(rows, candidates)
        top = np.maximum.reduceat(values, first)
        # Of several annotations with the largest overlap, the first of each row.
        winners = np.flatnonzero(values == top[rows - begin])
        winners = winners[np.diff(rows[winners], prepend=-1) != 0]
        best[begin:end] = candidates[winners]
        largest[begin:end] = top
    return best, largest


def joined(
    groups: Groups, which: np.ndarray
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Every row with every annotation of its group, in chunks.

    Args:
        groups: of annotations.
        which: (R,) the group of each row, all >= 0.

    Yields:
        The rows [begin, end) of the chunk; for each combination its row and its annotation; and
        the position of the first combination of each row.
    """
    counts = groups.starts[which + 1] - groups.starts[which]
    for begin, end in _chunks(counts):
        part = counts[begin:end]
        first = np.cumsum(part) - part
        rows = np.repeat(np.arange(begin, end), part)
        offset = np.arange(len(rows)) - first[rows - begin]
        yield begin, end, rows, groups.members[groups.starts[which[rows]] + offset], first


def first_to_match(annotations: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """True where a row is the first, by score and then by row, with its annotation.

    Args:
        annotations: (R,) integers; rows with equal numbers compete.
        scores: (R,).

    Returns:
        (R,) bool.
    """
    # Sorted by annotation, then by score; `lexsort` is stable, so that ties keep their order.
    order = np.lexsort((-scores, annotations))
    won = np.zeros(len(annotations), dtype=bool)
    won[order[np.diff(annotations[order], prepend=-1) != 0]] = True
    return won


def _chunks(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = ends[begin - 1] if begin else 0
        # At least one row per chunk, even if it alone exceeds the size.
        end = max(begin + 1, int(np.searchsorted(ends, done + CHUNK, side="right")))
        yield begin, end
        begin = end
