"""Damage to a parsed document: values of other types, huge numbers, missing and repeated parts."""

import copy
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "1",
    "person",
    "\uff11\uff12",  # digits, but not those of ASCII
    "\x1b[31mred",
    "a\nb",
    "a\0b",
    "\ud800",
    "../../up.jpg",
    "a" * 10_000,
    0,
    1,
    -1,
    0.5,
    -0.0,
    7,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    10**400,
    1e300,
    -1e300,
    1e-320,
    math.nan,
    math.inf,
    -math.inf,
    [],
    {},
    [[]],
    [None],
    [1],
    [math.nan] * 4,
    [10, 10, 5, 5],
    {"id": 1},
)
_STOP = 0.2  # chance of taking a node, not one of its children


def damaged(document: Any, rng: random.Random, changes: int) -> Any:
    """A copy of a document with some of its nodes changed.

    Args:
        document: nested dictionaries and lists with plain values, arrays or tensors.
    """
    document = copy.deepcopy(document)
    for _ in range(changes):
        place = _place(document, rng)
        if place is None:
            return rng.choice(STRANGE)
        rng.choice(CHANGES)(*place, document, rng)
    return document


def _place(document: Any, rng: random.Random) -> tuple[Any, Any] | None:
    """A container and a key of it, by a walk from the root: lists of any length weigh the same."""
    node, place = document, None
    while isinstance(node, (dict, list)) and node:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        place = node, key
        if rng.random() < _STOP:
            break
        node = node[key]
    return place


def _strange(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    parent[key] = copy.deepcopy(rng.choice(STRANGE))


def _other_type(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    value = parent[key]
    if isinstance(value, (np.ndarray, torch.Tensor)):
        parent[key] = _changed_array(value, rng)
        return
    is_number = isinstance(value, (int, float))
    choices: list[Any] = [[value], {"value": value}]
    choices += [str(value)] if is_number else []
    choices += [bool(value), [value] * 3]
    if isinstance(value, list):
        choices += [tuple(value), dict(enumerate(value)), value * 2, value[:-1]]
    if isinstance(value, dict):
        choices += [list(value.values()), list(value.items())]
    parent[key] = rng.choice(choices)


def _other_number(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    value = parent[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _other_type(parent, key, document, rng)
        return
    parent[key] = rng.choice(
        [value + 1, value - 1, -value, value + 0.5, value * 1000, float(value), str(value)]
    )


def _changed_array(value: Any, rng: random.Random) -> Any:
    """An array or tensor with other values, another type or another shape."""
    kind = rng.randrange(7)
    if kind == 0 and len(value.shape):
        return value[:-1]
    if kind == 1:
        return value.reshape(-1)
    if kind == 2:
        return value[None]
    if kind == 3:
        return value * math.nan
    if kind == 4 and isinstance(value, torch.Tensor):
        return value.to(rng.choice([torch.int64, torch.bool, torch.float16, torch.complex64]))
    if kind == 4:
        with np.errstate(invalid="ignore"):
            return value.astype(rng.choice(["i8", "?", "f2", "c8", "u1"]))
    if kind == 5 and isinstance(value, torch.Tensor) and value.numel():
        # one stored number that claims to be a million million
        return value.reshape(-1)[:1].expand(10**12)
    return value - 1000 if value.dtype not in (torch.bool, np.dtype(bool)) else value


def _removed(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    del parent[key]


def _repeated(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    if isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        parent[f"{key}2"] = parent.pop(key)


def _copied(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    """Another node's value: ids twice, references to other kinds of things."""
    other = _place(document, rng)
    if other is not None:
        parent[key] = copy.deepcopy(other[0][other[1]])


def _sibling(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    other = rng.choice(list(parent)) if isinstance(parent, dict) else rng.randrange(len(parent))
    parent[key], parent[other] = parent[other], parent[key]


def _nested(parent: Any, key: Any, document: Any, rng: random.Random) -> None:
    value = parent[key]
    for _ in range(rng.choice([2, 40, 400])):
        value = [value] if rng.random() < 0.5 else {"a": value}
    parent[key] = value


# twice: what contradicts but has the right type finds more than what is no number at all
CHANGES: tuple[Callable[..., None], ...] = (
    _strange,
    _strange,
    _other_type,
    _other_number,
    _other_number,
    _removed,
    _repeated,
    _copied,
    _sibling,
    _nested,
)
