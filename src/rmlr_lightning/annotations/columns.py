"""Columns of numbers out of ragged JSON: converted for a whole file at once, and checked image by image only to name
the culprit."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from rmlr_lightning.annotations.file import AnnotationFile, shown


def lists_of(file: AnnotationFile, records: Sequence, key: str, names: Sequence[str]) -> list[list]:
    """records[i][key] for every image i, checked to be lists."""
    try:
        lists = [record[key] for record in records]
        if all(type(values) is list for values in lists):
            return lists
    except (KeyError, TypeError, IndexError):
        pass
    for record, name in zip(records, names, strict=True):
        file.member(record, key, list, f"image {shown(name)}")
    raise file.error(f"{key!r} is not a list")  # pragma: no cover (the loop has found it)


def members_of(
    file: AnnotationFile,
    records: Sequence[list],
    key: str,
    names: Sequence[str],
    noun: str = "image",
) -> list[list]:
    """[record[key] for record in records[i]] for every image i."""
    try:
        return [[record[key] for record in row] for row in records]
    except (KeyError, TypeError, IndexError):
        pass
    for row, name in zip(records, names, strict=True):
        for record in row:
            file.member(record, key, object, f"a record of {noun} {shown(name)}")
    raise file.error(f"{key!r} cannot be read")  # pragma: no cover (the loop has found it)


def counts_of(
    file: AnnotationFile, columns: dict[str, list[list]], names: Sequence[str]
) -> np.ndarray:
    """Rows per image, (I,): the columns must agree."""
    counts = {
        key: np.array([len(values) for values in lists], dtype=np.int64)
        for key, lists in columns.items()
    }
    (first, expected), *others = counts.items()
    for key, found in others:
        if (found != expected).any():
            i = int(np.flatnonzero(found != expected)[0])
            raise file.error(
                f"image {shown(names[i])} has {expected[i]} {first!r} but {found[i]} {key!r}"
            )
    return expected


def boxes_of(
    file: AnnotationFile, lists: list[list], names: Sequence[str], what: str, noun: str = "image"
) -> np.ndarray:
    """All boxes one after the other, (K, 4) float64; may hold NaN (see `targets_of`)."""
    flat = _column(lists, (4,))
    if flat is None:
        i = next((i for i, values in enumerate(lists) if _numbers(values, (4,)) is None), 0)
        raise file.error(
            f"{what} of {noun} {shown(names[i])} is not a list of boxes of four numbers"
        )
    return flat


def integers_of(
    file: AnnotationFile,
    lists: list[list],
    names: Sequence[str],
    what: str,
    low: int,
    high: int,
    noun: str = "image",
) -> np.ndarray:
    """All integers one after the other, (K,) int64, checked to be in low..high-1."""
    flat = _column(lists, ())
    if flat is None:
        i = next((i for i, values in enumerate(lists) if _numbers(values, ()) is None), 0)
        raise file.error(f"{what} of {noun} {shown(names[i])} is not a list of integers")
    wrong = ~((flat >= low) & (flat < high) & (flat == np.floor(flat)))  # NaN is wrong too
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        i = int(np.searchsorted(np.cumsum([len(values) for values in lists]), row, side="right"))
        choice = (
            f"not an integer in {low}..{high - 1}"
            if high > low
            else "but there is nothing to choose from"
        )
        raise file.error(f"{noun} {shown(names[i])} has {what} {flat[row]:.12g}, {choice}")
    return flat.astype(np.int64)


def _column(lists: list[list], shape: tuple[int, ...]) -> np.ndarray | None:
    return _numbers(list(chain.from_iterable(lists)), shape)


def _numbers(values: list, shape: tuple[int, ...]) -> np.ndarray | None:
    """None where they are no numbers of that shape. No dtype is asked for: numpy would take "1" for a number."""
    if not values:
        return np.zeros((0, *shape))
    try:
        array = np.array(values)
    except (ValueError, OverflowError):  # ragged, nested too deep, or huge
        return None
    return (
        array.astype(np.float64) if array.dtype.kind in "iuf" and array.shape[1:] == shape else None
    )
