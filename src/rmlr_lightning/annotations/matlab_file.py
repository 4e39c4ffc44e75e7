"""Reading MATLAB's MAT-files of version 5 and 7 into plain Python values.

scipy reads them too, but runs into a segmentation fault on some damaged files; this cannot, as every length is checked
before it is used. Format: MathWorks, "MAT-File Format", chapter 1. Numbers, characters, cells and structs; what else
there is (sparse, complex, objects) HICO-DET does not use.
"""

import struct
import zlib
from collections.abc import Collection
from math import prod
from typing import Any

import numpy as np

_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _FIRST_NUMBER, _LAST_NUMBER = 1, 2, 4, 6, 15  # array classes
_COMPLEX = 0x800
_DEEPEST = _MOST_DIMENSIONS = 32


class MatlabError(Exception):
    """Not a MAT-file of version 5 or 7, or a damaged one."""


def is_matlab(content: bytes) -> bool:
    return content[:6] == b"MATLAB"


def read_matlab(content: bytes, wanted: Collection[str]) -> dict[str, Any]:
    """The variables of a MAT-file that are wanted and there.

    Returns:
        By name: a float for a single number, a numpy array of any other numbers, a str for characters, a list for a
        cell array and a list of dicts for a struct array (both in MATLAB's order of elements).

    Raises:
        MatlabError: the file is of another version, truncated or damaged.
    """
    if content[:10] == b"MATLAB 7.3":
        raise MatlabError("saved with -v7.3; save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if not is_matlab(content) or order is None:
        raise MatlabError("no MAT-file header")
    variables, file, at = {}, _Bytes(content, order), 128
    while at < len(content):
        kind, start, stop, at = file.element(at, len(content))
        part = file
        if kind == _COMPRESSED:
            if _name_of_compressed(content[start:stop], order) not in wanted:
                continue
            try:
                part = _Bytes(zlib.decompress(content[start:stop]), order)
            except zlib.error as error:
                raise MatlabError(str(error)) from error
            kind, start, stop, _ = part.element(0, len(part.data))
        if kind != _MATRIX:
            raise MatlabError(f"a variable of unknown type {kind}")
        name = part.head(start, stop)[3]
        if name in wanted:
            variables[name] = part.value(start, stop, _DEEPEST)
    return variables


def _name_of_compressed(packed: bytes, order: str) -> str:
    try:
        start_of_it = zlib.decompressobj().decompress(packed, 1024)
    except zlib.error as error:
        raise MatlabError(str(error)) from error
    part = _Bytes(start_of_it, order)
    return part.head(8, len(start_of_it))[3]


class _Bytes:
    """A run of data elements: tag (type, length) and data, padded to 8 bytes."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order = data, order
        self.tag = struct.Struct(f"{order}II").unpack_from

    def element(self, at: int, end: int) -> tuple[int, int, int, int]:
        """(type, start and stop of its data, start of the next element)."""
        if at + 8 > end:
            raise MatlabError("an element ends too soon")
        kind, size = self.tag(self.data, at)
        if kind >> 16:  # small: type and length in one word, the data in the other
            if kind >> 16 > 4:
                raise MatlabError("a small element that is too long")
            return kind & 0xFFFF, at + 4, at + 4 + (kind >> 16), at + 8
        start, stop = at + 8, at + 8 + size
        if stop > end:
            raise MatlabError("an element ends too soon")
        return kind, start, stop, stop if kind == _COMPRESSED else stop + -size % 8

    def numbers(self, at: int, end: int) -> tuple[np.ndarray, int]:
        kind, start, stop, after = self.element(at, end)
        if kind not in _NUMBERS:
            raise MatlabError(f"type {kind} where numbers should be")
        dtype = np.dtype(self.order + _NUMBERS[kind])
        return np.frombuffer(self.data, dtype, (stop - start) // dtype.itemsize, start), after

    def head(self, at: int, end: int) -> tuple[int, tuple[int, ...], int, str]:
        """(class with flags, dimensions, start of the content, name) of a matrix."""
        _, start, stop, at = self.element(at, end)
        if stop - start != 8:
            raise MatlabError("array flags of another length")
        flags = self.tag(self.data, start)[0]
        kind, start, stop, at = self.element(at, end)
        if kind != 5 or (stop - start) % 4 or not 0 < stop - start <= 4 * _MOST_DIMENSIONS:
            raise MatlabError("dimensions that are no few integers")
        shape = struct.unpack_from(f"{self.order}{(stop - start) // 4}i", self.data, start)
        if min(shape) < 0:
            raise MatlabError("a negative dimension")
        _, start, stop, at = self.element(at, end)
        return flags, shape, at, self.data[start:stop].decode("latin-1")

    def value(self, at: int, end: int, depth: int) -> Any:
        """The content of a matrix, whatever its class."""
        if at == end:  # how MATLAB writes a field that was never set
            return np.zeros((0, 0))
        flags, shape, at, _ = self.head(at, end)
        kind, count = flags & 0xFF, prod(shape)
        if not depth or flags & _COMPLEX:
            raise MatlabError("complex numbers" if depth else "nested too deep")
        if _FIRST_NUMBER <= kind <= _LAST_NUMBER:
            numbers, _ = self.numbers(at, end)
            if len(numbers) != count:
                raise MatlabError(f"{len(numbers)} numbers in an array of {count}")
            return float(numbers[0]) if count == 1 else numbers.reshape(shape, order="F")
        if kind == _CHAR:
            return self.text(at, end)
        if kind not in (_CELL, _STRUCT):
            raise MatlabError(f"an array of class {kind}")
        if count > end - at:  # before anything so long is made; an element takes 8 bytes
            raise MatlabError("more elements than bytes")
        names = [""]
        if kind == _STRUCT:
            width, at = self.numbers(at, end)
            _, start, stop, at = self.element(at, end)
            if len(width) != 1 or width[0] < 1 or (stop - start) % int(width[0]):
                raise MatlabError("field names of no common length")
            step = int(width[0])
            names = [
                self.data[i : i + step].split(b"\0")[0].decode("latin-1")
                for i in range(start, stop, step)
            ]
        elements = []
        for _ in range(count):
            values = []
            for _ in names:
                inner, start, stop, at = self.element(at, end)
                if inner != _MATRIX:
                    raise MatlabError(f"type {inner} where an array should be")
                values.append(self.value(start, stop, depth - 1))
            elements.append(dict(zip(names, values, strict=True)) if kind == _STRUCT else values[0])
        return elements

    def text(self, at: int, end: int) -> str:
        kind, start, stop, _ = self.element(at, end)
        little = self.order == "<"
        # 2 and 4 are numbers of one and two bytes: MATLAB's way; UTF-8 is scipy's
        encoding = {2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}.get(
            kind, ""
        )
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if little else "-be"
        try:
            return self.data[start:stop].decode(encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise MatlabError(f"characters that cannot be read ({error})") from error
