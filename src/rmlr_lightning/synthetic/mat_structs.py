"""Writes MATLAB v5 files of nested structs: bytes equal to scipy's `savemat`, but for the date.

HICO-DET's file has a matrix of its own for every coordinate. scipy needs 25 us for each, 2.6 s on
a default world; here the few hundred different numbers are encoded once. Format: MathWorks,
"MAT-File Format", level 5.
"""

import struct
import zlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np

# Types of data elements.
INT8 = 1
INT32 = 5
UINT32 = 6
DOUBLE = 9
INT64 = 12
MATRIX = 14
COMPRESSED = 15
UTF8 = 16

# Classes of arrays.
STRUCT_CLASS = 2
CHAR_CLASS = 4
DOUBLE_CLASS = 6
INT64_CLASS = 14

# 116 bytes of text, 8 of an unused offset, the version (1.0) and the byte order.
HEADER = b"MATLAB 5.0 MAT-file, written by rmlr_lightning".ljust(116) + bytes(8) + b"\x00\x01IM"


class Structs(NamedTuple):
    """A struct array; values are str, int, float, an (n, m) float64 array or Structs."""

    fields: tuple[str, ...]
    rows: list[tuple]
    column: bool = False  # n x 1, not 1 x n


def mat_file(variables: dict[str, Structs]) -> bytes:
    """The content of a file with these variables, each compressed."""
    parts = [HEADER]
    for name, value in variables.items():
        data = zlib.compress(_structs(value, name.encode("ascii")))
        parts.append(struct.pack("<II", COMPRESSED, len(data)) + data)
    return b"".join(parts)


def _element(kind: int, data: bytes) -> bytes:
    # The small format: up to 4 bytes share one word with their length and type.
    if len(data) <= 4:
        return struct.pack("<I4s", len(data) << 16 | kind, data)

    padding = bytes(-len(data) % 8)
    return struct.pack("<II", kind, len(data)) + data + padding


def _matrix(class_: int, shape: tuple[int, int], body: bytes, name: bytes = b"") -> bytes:
    flags = struct.pack("<IIII", UINT32, 8, class_, 0)
    dimensions = _element(INT32, struct.pack("<ii", *shape))
    content = flags + dimensions + _element(INT8, name) + body
    return struct.pack("<II", MATRIX, len(content)) + content


def _structs(value: Structs, name: bytes = b"") -> bytes:
    shape = (len(value.rows), 1) if value.column else (1, len(value.rows))
    body = [_names(value.fields)]
    body += [_value(item) for row in value.rows for item in row]
    return _matrix(STRUCT_CLASS, shape, b"".join(body), name)


@lru_cache
def _names(fields: tuple[str, ...]) -> bytes:
    # All names have one length in the file, with a zero byte at least at the end of each.
    longest = max(map(len, fields)) + 1
    names = b"".join(field.encode("ascii").ljust(longest, b"\0") for field in fields)
    return _element(INT32, struct.pack("<i", longest)) + _element(INT8, names)


def _value(value) -> bytes:
    if isinstance(value, Structs):
        return _structs(value)
    if isinstance(value, np.ndarray):
        data = value.astype("<f8").tobytes(order="F")
        return _matrix(DOUBLE_CLASS, value.shape, _element(DOUBLE, data))
    return _scalar(value)


@lru_cache(maxsize=4096, typed=True)
def _scalar(value: str | int | float) -> bytes:
    if isinstance(value, str):
        return _matrix(CHAR_CLASS, (1, len(value)), _element(UTF8, value.encode("ascii")))
    if isinstance(value, int):
        return _matrix(INT64_CLASS, (1, 1), _element(INT64, struct.pack("<q", value)))
    return _matrix(DOUBLE_CLASS, (1, 1), _element(DOUBLE, struct.pack("<d", value)))
