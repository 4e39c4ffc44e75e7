"""Reading MATLAB's MAT-files of version 5 and 7 into plain Python values.

scipy.io.loadmat ends with a segmentation fault on damaged files: one changed byte in the type of
an array is enough, with all lengths intact. Here every length and type is checked before it is
used. Format: MathWorks, "MAT-File Format", chapter 1. Numbers, characters, cells and structs are
supported; HICO-DET has no others (sparse, complex, objects).
"""

import struct
import zlib
from collections.abc import Collection
from math import prod
from typing import Any

import numpy as np

from rmlr_lightning.files import inflate

# types of data elements
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
_INT32, _MATRIX, _COMPRESSED = 5, 14, 15
# MATLAB stores characters as numbers of one and two bytes (2 and 4), scipy as UTF-8 (16)
_ENCODINGS = {2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}

# classes of arrays; 6 to 15 are numbers
_CELL, _STRUCT, _CHAR, _FIRST_NUMBER, _LAST_NUMBER = 1, 2, 4, 6, 15
_COMPLEX = 0x800  # a flag beside the class

_MAX_DEPTH = _MAX_DIMENSIONS = 32
_HEADER_BYTES = 128


class MatlabError(Exception):
    """Not a MAT-file of version 5 or 7, or a damaged one."""


def is_matlab(content: bytes) -> bool:
    """Whether a file's content starts as a MAT-file does."""
    return content[:6] == b"MATLAB"


def read_matlab(content: bytes, names: Collection[str]) -> dict[str, Any]:
    """Those of the named variables that a MAT-file holds.

    Returns:
        By name: a float for a single number, a numpy array for other numbers, a str for
        characters, a list for a cell array and a list of dicts for a struct array (both in
        MATLAB's order of elements).

    Raises:
        MatlabError: the file is of another version, truncated or damaged.
    """
    if content[:10] == b"MATLAB 7.3":
        raise MatlabError("saved with -v7.3; save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if not is_matlab(content) or order is None:
        raise MatlabError("no MAT-file header")

    variables, file, at = {}, _Bytes(content, order), _HEADER_BYTES
    while at < len(content):
        kind, start, stop, at = file.element(at, len(content))
        part = file
        if kind == _COMPRESSED:
            # other variables may be large: they are not decompressed
            if _name_of_compressed(content[start:stop], order) not in names:
                continue
            try:
                part = _Bytes(inflate(content[start:stop]), order)
            except ValueError as error:
                raise MatlabError(str(error)) from error
            kind, start, stop, _ = part.element(0, len(part.data))
        if kind != _MATRIX:
            raise MatlabError(f"a variable of unknown type {kind}")
        name = part.head(start, stop)[3]
        if name in names:
            variables[name] = part.value(start, stop, _MAX_DEPTH)
    return variables


def _name_of_compressed(packed: bytes, order: str) -> str:
    try:
        first_bytes = zlib.decompressobj().decompress(packed, 1024)
    except zlib.error as error:
        raise MatlabError(str(error)) from error
    return _Bytes(first_bytes, order).head(8, len(first_bytes))[3]


class _Bytes:
    """Data elements: a tag (type, length), then data padded to 8 bytes.

    `at` is the offset of the next element, `end` that of the end of the enclosing element.
    """

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order = data, order
        self.tag = struct.Struct(f"{order}II").unpack_from

    def element(self, at: int, end: int) -> tuple[int, int, int, int]:
        """(type, start and stop of its data, start of the next element)."""
        if at + 8 > end:
            raise MatlabError("an element ends too soon")
        kind, size = self.tag(self.data, at)
        if kind >> 16:  # a small element: type and length share one word, the data is the other
            if kind >> 16 > 4:
                raise MatlabError("a small element that is too long")
            return kind & 0xFFFF, at + 4, at + 4 + (kind >> 16), at + 8

        start, stop = at + 8, at + 8 + size
        if stop > end:
            raise MatlabError("an element ends too soon")
        return kind, start, stop, stop if kind == _COMPRESSED else stop + -size % 8

    def numbers(self, at: int, end: int) -> tuple[np.ndarray, int]:
        """(an element of numbers, start of the next element)."""
        kind, start, stop, after = self.element(at, end)
        if kind not in _NUMBERS:
            raise MatlabError(f"type {kind} where numbers should be")
        dtype = np.dtype(self.order + _NUMBERS[kind])
        return np.frombuffer(self.data, dtype, (stop - start) // dtype.itemsize, start), after

    def head(self, at: int, end: int) -> tuple[int, tuple[int, ...], int, str]:
        """(class with flags, dimensions, start of the content, name) of an array."""
        _, start, stop, at = self.element(at, end)
        if stop - start != 8:
            raise MatlabError("array flags of another length")
        flags = self.tag(self.data, start)[0]

        kind, start, stop, at = self.element(at, end)
        size = stop - start
        if kind != _INT32 or size % 4 or not 0 < size <= 4 * _MAX_DIMENSIONS:
            raise MatlabError("dimensions that are no few integers")
        shape = struct.unpack_from(f"{self.order}{size // 4}i", self.data, start)
        if min(shape) < 0:
            raise MatlabError("a negative dimension")

        _, start, stop, at = self.element(at, end)
        return flags, shape, at, self.data[start:stop].decode("latin-1")

    def value(self, at: int, end: int, depth: int) -> Any:
        """The content of an array of any class; `depth` more levels may be nested in it."""
        if at == end:  # MATLAB's way to write a field that was never set
            return np.zeros((0, 0))
        flags, shape, at, _ = self.head(at, end)
        kind, count = flags & 0xFF, prod(shape)
        if not depth:
            raise MatlabError("nested too deep")
        if flags & _COMPLEX:
            raise MatlabError("complex numbers")

        if _FIRST_NUMBER <= kind <= _LAST_NUMBER:
            numbers, _ = self.numbers(at, end)
            if len(numbers) != count:
                raise MatlabError(f"{len(numbers)} numbers in an array of {count}")
            return float(numbers[0]) if count == 1 else numbers.reshape(shape, order="F")
        if kind == _CHAR:
            return self.text(at, end)
        if kind not in (_CELL, _STRUCT):
            raise MatlabError(f"an array of class {kind}")

        # checked before a list of that length is made; an element takes at least 8 bytes
        if count > end - at:
            raise MatlabError("more elements than bytes")
        if kind == _CELL:
            return [values[0] for values in self.nested(at, end, count, 1, depth)]
        fields, at = self.field_names(at, end)
        rows = self.nested(at, end, count, len(fields), depth)
        return [dict(zip(fields, values, strict=True)) for values in rows]

    def nested(self, at: int, end: int, count: int, width: int, depth: int) -> list[list]:
        """`count` rows of `width` arrays each."""
        rows = []
        for _ in range(count):
            values = []
            for _ in range(width):
                kind, start, stop, at = self.element(at, end)
                if kind != _MATRIX:
                    raise MatlabError(f"type {kind} where an array should be")
                values.append(self.value(start, stop, depth - 1))
            rows.append(values)
        return rows

    def field_names(self, at: int, end: int) -> tuple[list[str], int]:
        """(the fields of a struct, start of the next element)."""
        length, at = self.numbers(at, end)
        _, start, stop, at = self.element(at, end)
        if len(length) != 1 or length[0] < 1 or (stop - start) % int(length[0]):
            raise MatlabError("field names of no common length")
        step = int(length[0])
        packed = [self.data[i : i + step] for i in range(start, stop, step)]
        return [name.split(b"\0")[0].decode("latin-1") for name in packed], at

    def text(self, at: int, end: int) -> str:
        """The characters of an array."""
        kind, start, stop, _ = self.element(at, end)
        encoding = _ENCODINGS.get(kind, "")
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self.order == "<" else "-be"
        try:
            return self.data[start:stop].decode(encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise MatlabError(f"characters that cannot be read ({error})") from error
