"""Checked columns of numbers from ragged JSON lists.

A column holds one list of values per image (or per action, key, row: the `noun` of the messages).
The values of a whole file are converted at once: a call to numpy per image would dominate the
reading time. Only if that fails, a loop finds the image to name in the message.

All functions raise `AnnotationError` where the values are not as described.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from rmlr_lightning.annotations.file import AnnotationFile, shown

LARGEST_ID = 2**53  # a float64, which many JSON readers use, holds smaller integers exactly


def fields_of(file: AnnotationFile, records: Sequence, key: str, noun: str) -> list[Any]:
    """record[key] of every record of a flat list; messages name a record "`noun` index"."""
    try:
        return [record[key] for record in records]
    except (KeyError, TypeError, IndexError):
        pass
    for i, record in enumerate(records):
        file.member(record, key, object, f"{noun} {i}")
    raise file.error(f"{key!r} cannot be read")  # pragma: no cover (the loop raises)


def lists_of(file: AnnotationFile, records: Sequence, key: str, names: Sequence[str]) -> list[list]:
    """record[key] of every image's record, checked to be a list."""
    # `type`, not `isinstance`: JSON has no subclasses of list, and this is the faster check
    try:
        lists = [record[key] for record in records]
        if all(type(values) is list for values in lists):
            return lists
    except (KeyError, TypeError, IndexError):
        pass
    for record, name in zip(records, names, strict=True):
        file.member(record, key, list, f"image {shown(name)}")
    raise file.error(f"{key!r} is not a list")  # pragma: no cover (the loop raises)


def members_of(
    file: AnnotationFile, records: Sequence[list], key: str, names: Sequence[str]
) -> list[list]:
    """record[key] of every record of every image: one list per image."""
    try:
        return [[record[key] for record in of_image] for of_image in records]
    except (KeyError, TypeError, IndexError):
        pass
    for of_image, name in zip(records, names, strict=True):
        for record in of_image:
            file.member(record, key, object, f"a record of image {shown(name)}")
    raise file.error(f"{key!r} cannot be read")  # pragma: no cover (the loop raises)


def counts_of(
    file: AnnotationFile, columns: dict[str, list[list]], names: Sequence[str]
) -> np.ndarray:
    """Values per image, (I,) int64, checked to be equal in all columns."""
    # np.array of an empty list is float64; integers are restored at the end
    counts = {key: np.array([len(values) for values in lists]) for key, lists in columns.items()}
    (first, expected), *others = counts.items()
    for key, found in others:
        if (found != expected).any():
            i = int(np.flatnonzero(found != expected)[0])
            raise file.error(
                f"image {shown(names[i])} has {expected[i]} {first!r} but {found[i]} {key!r}"
            )
    return expected.astype(np.int64)


def boxes_of(
    file: AnnotationFile, lists: list[list], names: Sequence, what: str, noun: str = "image"
) -> np.ndarray:
    """The boxes of all images, concatenated: (K, 4) float64. They may hold NaN and infinity."""
    boxes = _concatenated(lists, (4,))
    if boxes is None:
        i = _first_unreadable(lists, (4,))
        raise file.error(
            f"{what} of {noun} {shown(names[i])} is not a list of boxes of four numbers"
        )
    return boxes


def numbers_of(
    file: AnnotationFile,
    lists: list[list],
    names: Sequence,
    what: str,
    low: float,
    high: float,
    noun: str = "image",
) -> np.ndarray:
    """The numbers of all images, concatenated: (K,) float64, each in [low, high]."""
    numbers = _concatenated(lists, ())
    if numbers is None:
        i = _first_unreadable(lists, ())
        raise file.error(f"{what} of {noun} {shown(names[i])} is not a number")
    # written so that NaN, which compares as False, is wrong too
    wrong = ~((numbers >= low) & (numbers <= high))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        name = shown(names[_list_of_row(lists, row)])
        raise file.error(f"{noun} {name} has {what} {numbers[row]:.12g}, not in {low}..{high}")
    return numbers


def integers_of(
    file: AnnotationFile,
    lists: list[list],
    names: Sequence,
    what: str,
    low: int,
    high: int,
    noun: str = "image",
    exact: bool = False,
) -> np.ndarray:
    """The integers of all images, concatenated: (K,) int64, each in low..high-1.

    Args:
        exact: refuse 1.0 and true, too. They equal 1, but a later reader that looks values up in
            the parsed file, or writes them, may treat them otherwise.
    """
    numbers = _concatenated(lists, ())
    if numbers is None:
        i = _first_unreadable(lists, ())
        raise file.error(f"{what} of {noun} {shown(names[i])} is not a list of integers")

    # as above; the comparison is in float64, where 1e300 and 1.5 are still what the file holds
    wrong = ~((numbers >= low) & (numbers < high) & (numbers == np.floor(numbers)))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        name = shown(names[_list_of_row(lists, row)])
        # a range may be empty: an index into a list without entries
        valid = f"not an integer in {low}..{high - 1}" if high > low else "but no value is valid"
        raise file.error(f"{noun} {name} has {what} {numbers[row]:.12g}, {valid}")

    if exact and not all(type(value) is int for value in chain.from_iterable(lists)):
        raise file.error(f"{what} is not always an integer")
    return numbers.astype(np.int64)


def _concatenated(lists: list[list], shape: tuple[int, ...]) -> np.ndarray | None:
    return _array(list(chain.from_iterable(lists)), shape)


def _first_unreadable(lists: list[list], shape: tuple[int, ...]) -> int:
    return next((i for i, values in enumerate(lists) if _array(values, shape) is None), 0)


def _list_of_row(lists: list[list], row: int) -> int:
    """The list that holds a row of the concatenated values."""
    ends = np.cumsum([len(values) for values in lists])
    return int(np.searchsorted(ends, row, side="right"))


def _array(values: list, shape: tuple[int, ...]) -> np.ndarray | None:
    """(K, *shape) float64; None where the values are not numbers of that shape."""
    if not values:
        return np.zeros((0, *shape))
    try:
        # Without dtype: np.array(["1"], dtype=float) would accept a string as a number.
        array = np.array(values)
    except (ValueError, OverflowError):  # ragged, nested too deep, or huge
        return None
    if array.dtype.kind not in "iuf" or array.shape[1:] != shape:
        return None
    return array.astype(np.float64)
