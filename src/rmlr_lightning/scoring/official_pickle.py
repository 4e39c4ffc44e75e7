"""The official V-COCO pickle, read without executing it.

A pickle is a program. This reader accepts the operations that make numbers, strings, containers and
numpy arrays, and refuses all others before they run.
"""

import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.vcoco import RoleTable

_PLAIN = {
    "list",
    "dict",
    "tuple",
    "set",
    "frozenset",
    "int",
    "float",
    "complex",
    "str",
    "bytes",
    "bytearray",
    "bool",
}
_PLAIN |= {"object"}
# (module, name) that may be loaded. Arrays name numpy.core (numpy 1) or numpy._core (numpy 2).
_ALLOWED = {("_codecs", "encode"), ("collections", "OrderedDict")}
_ALLOWED |= {("numpy", "ndarray"), ("numpy", "dtype")}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED |= {(f"{_core}.multiarray", name) for name in ("_reconstruct", "scalar")}
    _ALLOWED |= {(f"{_core}.numeric", "_frombuffer")}
_ALLOWED |= {(module, name) for module in ("builtins", "__builtin__") for name in _PLAIN}


class _Refused(Exception):
    pass


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _Refused(f"{module}.{name}")
        return super().find_class(module, name)


def unpickle(content: bytes, path: str) -> Any:
    """The numbers, strings, containers and arrays of a pickle of Python 2 or 3.

    Args:
        content: the pickle.
        path: for messages.

    Raises:
        UserError: it holds anything else, or is damaged or truncated.
    """
    try:
        return _Reader(io.BytesIO(content), encoding="latin1").load()
    except _Refused as refused:
        name = str(refused)[:80]
        raise UserError(
            f"{path}: the pickle uses {name}, which is not read for safety; "
            "write plain lists, dictionaries, numbers and numpy arrays"
        ) from None
    # A damaged pickle can fail in any way; its bytes are in memory, so no limit is behind it.
    except Exception as error:
        problem = " ".join(str(error).split())[:80]
        raise UserError(
            f"{path}: not a readable pickle ({type(error).__name__}: {problem}); write it again"
        ) from None


def roles_of_persons(
    persons: Any, actions: Sequence[str], roles: Sequence[Sequence[str]], path: str
) -> tuple[np.ndarray, RoleTable]:
    """Per-person dictionaries of the official format as rows of one agent or role each.

    Rows with NaN scores are left out.

    Args:
        persons: list of {"image_id", "person_box", "hold_agent": score,
            "hold_obj": [x1, y1, x2, y2, score], ...}.
        actions: names of the actions.
        roles: of each action, "agent" first.
        path: for messages.

    Returns:
        (K,) image ids, and the rows; their `images` is the index of the person.

    Raises:
        UserError: not such a list.
    """
    if not isinstance(persons, (list, tuple)) or not all(
        isinstance(person, dict) for person in persons
    ):
        raise UserError(
            f"{path}: expected a list of one dictionary per person, as V-COCO's official script "
            "reads it"
        )
    names = [
        (a, r, f"{action}_{role}")
        for a, action in enumerate(actions)
        for r, role in enumerate(roles[a])
    ]
    known = {name for _, _, name in names}
    for key in {key for person in persons for key in person} - known:
        if isinstance(key, str) and key.rsplit("_", 1)[-1] in ("agent", "obj", "instr"):
            raise UserError(
                f"{path}: key {key!r} is no action and role of V-COCO; the first ones are "
                "hold_agent, hold_obj"
            )
    if persons and not any(name in person for person in persons[:1000] for name in known):
        raise UserError(f"{path}: no key such as hold_agent or hold_obj; use the official names")

    # All columns are read as floats; ids must be whole numbers.
    image_ids = _column(persons, "image_id", (), path)
    boxes = _column(persons, "person_box", (4,), path)
    if (image_ids != np.floor(image_ids)).any() or not np.isfinite(image_ids).all():
        raise UserError(f"{path}: image_id holds numbers that are no integers")

    parts = []
    for action, role, name in names:
        having = np.array([i for i, person in enumerate(persons) if name in person], dtype=np.int64)
        values = _column([persons[i] for i in having], name, () if role == 0 else (5,), path)
        values = values.reshape(len(having), 5 if role else 1)
        # The last number is the score; NaN stands for a role that was not detected.
        keep = ~np.isnan(values[:, -1])
        having, values = having[keep], values[keep]
        box = values[:, :4] if role else np.full((len(having), 4), np.nan)
        parts.append(
            (having, box, np.full(len(having), action), np.full(len(having), role), values[:, -1])
        )
    person, boxes_o, action, role, scores = (
        np.concatenate(values) for values in zip(*parts, strict=True)
    )

    # The rows of a person become adjacent, so that its box is matched once.
    order = np.argsort(person, kind="stable")
    person = person[order]
    rows = RoleTable(
        person, boxes[person], boxes_o[order], action[order], role[order], scores[order]
    )
    return image_ids.astype(np.int64)[person], rows


def _column(persons: list[dict], key: str, shape: tuple[int, ...], path: str) -> np.ndarray:
    """The values of a key, (persons, *shape) float64."""
    try:
        values = np.array([person[key] for person in persons], dtype=np.float64)
        if values.shape[1:] == shape or not persons:
            return values.reshape(len(persons), *shape)
    except (ValueError, TypeError, KeyError, OverflowError):
        pass
    # One of them is wrong: find the first for the message.
    for number, person in enumerate(persons):
        try:
            if np.array(person[key], dtype=np.float64).shape == shape:
                continue
        except (ValueError, TypeError, KeyError, OverflowError):
            pass
        wanted = f"{shape[0]} numbers" if shape else "a number"
        raise UserError(f"{path}: {key} of person {number} is missing or not {wanted}")
    raise UserError(f"{path}: {key} cannot be read as numbers")
