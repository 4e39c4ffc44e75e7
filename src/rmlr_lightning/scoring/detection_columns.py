"""Reading a detection file: columns of an npz or json, plain or gzip.

Messages name the file, the key and the row.
"""

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import gunzip, largest_unpacked


def read_content(path: Path) -> Any:
    """The content of a file: {key: array} of an npz, the value of a json, or bytes.

    Raises:
        UserError: missing, empty, damaged or truncated.
    """
    try:
        with path.open("rb") as file:
            start = file.read(2)
            # An npz is read in place: only its arrays need memory.
            content = b"" if start == b"PK" else start + file.read()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    # The first two bytes tell the format: gzip, zip (npz), or neither.
    if start == b"\x1f\x8b":
        try:
            content = gunzip(content)
        except ValueError as error:
            raise UserError(f"{path}: {error}; write or copy it again") from None
        start = content[:2]
    if start == b"PK":
        with io.BytesIO(content) if content else path.open("rb") as file:
            return _arrays(path, file)
    if not content.strip():
        raise UserError(
            f"{path}: the file is empty; a file without detections has columns without rows"
        )
    if content.lstrip()[:1] in (b"{", b"["):
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{path}: damaged or truncated JSON ({error}); write or copy it again"
            ) from None
    return content


INVERTED = "ends before it starts; boxes are x1, y1, x2, y2, not x, y, width, height"


class Columns:
    """The columns of a table of detections, each checked when it is read.

    Args:
        path: for messages.
        content: {key: array or list}.
    """

    def __init__(self, path: Path, content: dict) -> None:
        self.path = path
        self.content = content
        self.rows: int | None = None
        self._first = ""

    def error(self, problem: str) -> UserError:
        """One line about this file."""
        return UserError(f"{self.path}: {' '.join(problem.split())}")

    def raw(self, key: str) -> Any:
        """The unchecked value of a key."""
        if key not in self.content:
            found = ", ".join(str(k) for k in list(self.content)[:8]) or "nothing"
            raise self.error(f"has no key {key!r}; found {found}")
        return self.content[key]

    def numbers(self, key: str, width: int | None = None, missing: bool = False) -> np.ndarray:
        """A column of floats, (K,) or (K, width); NaN and None only where `missing` allows."""
        values = self.raw(key)
        if not isinstance(values, np.ndarray):
            if not isinstance(values, list):
                raise self.error(f"{key!r} is not {_shape(width)} of numbers")
            if missing:  # null stands for a row without numbers
                empty = [None] * (width or 0)
                values = [empty if value is None else value for value in values]
            try:
                values = np.array(values, dtype=np.float64)
            except (ValueError, TypeError, OverflowError):
                raise self.error(f"{key!r} is not {_shape(width)} of numbers") from None
        if values.dtype.kind not in "fiu":
            raise self.error(f"{key!r} has the type {values.dtype}, not numbers")
        # float32 stays as it is; integers and other types become floats that hold them.
        if values.dtype == np.float16 or values.dtype.kind != "f":
            values = values.astype(np.float32 if values.dtype == np.float16 else np.float64)
        values = self._shaped(key, values, width)
        if not missing:
            # If the sum is finite, all numbers are: one fast check is enough for most files.
            with np.errstate(over="ignore", invalid="ignore"):
                suspicious = not np.isfinite(values.sum(dtype=np.float64))
            if suspicious:
                bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
                self._refuse(key, values, bad, "must be finite")
        return values

    def boxes(self, key: str, missing: bool = False) -> np.ndarray:
        """A column of boxes, (K, 4) xyxy; NaN and None only where `missing` allows."""
        boxes = self.numbers(key, 4, missing)
        # NaN compares as False
        inverted = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
        self._refuse(key, boxes, inverted, INVERTED)
        return boxes

    def integers(self, key: str, limit: int | None, what: str) -> np.ndarray:
        """A column of integers, in [0, limit) if there is a limit."""
        values = self.raw(key)
        if not isinstance(values, np.ndarray):
            try:
                values = np.array(values)
            except (ValueError, TypeError, OverflowError):
                raise self.error(f"{key!r} is not a list of integers") from None
        values = self._shaped(key, values, None)
        if not len(values):
            return np.zeros(0, dtype=np.int64)
        if values.dtype.kind == "f":
            # MATLAB and JSON write integers as floats. From 2 ** 53 on floats skip integers.
            with np.errstate(invalid="ignore"):
                whole = (values == np.floor(values)) & (np.abs(values) < 2**53)
            self._refuse(key, values, ~whole, "must be an integer")
            values = values.astype(np.int64)
        if values.dtype.kind not in "iu":
            raise self.error(f"{key!r} has the type {values.dtype}, not integers")
        if limit is not None and (values.min() < 0 or values.max() >= limit):
            self._refuse(
                key,
                values,
                (values < 0) | (values >= limit),
                f"is unknown: {what} are 0..{limit - 1}",
            )
        return values

    def names(self, key: str) -> list[str]:
        """A list of distinct names; not a column of the table."""
        values = self.raw(key)
        if isinstance(values, np.ndarray):
            if values.dtype.kind == "S":
                values = np.char.decode(values, "utf-8", "replace")
            if values.ndim != 1 or (values.size and values.dtype.kind != "U"):
                raise self.error(
                    f"{key!r} is not a list of names but {values.dtype} of shape {values.shape}"
                )
            values = values.tolist()
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.error(f"{key!r} is not a list of names")
        if len(set(values)) < len(values):
            twice = next(value for i, value in enumerate(values) if value in values[:i])
            raise self.error(f"{key!r} lists {twice!r} twice; give each image one number")
        return values

    def _shaped(self, key: str, values: np.ndarray, width: int | None) -> np.ndarray:
        # Without rows, the shape of an empty list does not tell the width.
        if values.size == 0 and values.ndim <= 2 and len(np.atleast_1d(values)) == 0:
            values = values.reshape((0,) if width is None else (0, width))
        if values.ndim != (1 if width is None else 2) or (
            width is not None and values.shape[1] != width
        ):
            raise self.error(f"{key!r} has the shape {values.shape}, not {_shape(width)}")
        # The first column that is read sets the number of rows.
        if self.rows is None:
            self.rows, self._first = len(values), key
        if len(values) != self.rows:
            raise self.error(f"{key!r} has {len(values)} rows, but {self._first!r} has {self.rows}")
        return values

    def _refuse(self, key: str, values: np.ndarray, bad: np.ndarray, reason: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise self.error(f"{key}[{row}] = {np.asarray(values[row]).tolist()} {reason}")


def _arrays(path: Path, file: BinaryIO) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            members = archive.zip.infolist()
            limit = largest_unpacked(sum(member.compress_size for member in members))
            if sum(member.file_size for member in members) > limit:
                raise ValueError(f"unpacks to more than {limit:,} bytes")
            return {key: archive[key] for key in archive.files}
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        EOFError,
        OSError,
        KeyError,
        NotImplementedError,
        # headers state sizes, types and names that are evaluated: SyntaxError, TypeError, ...
        SyntaxError,
        TypeError,
        OverflowError,
        MemoryError,
        RuntimeError,
    ) as error:
        if "allow_pickle" in str(error):
            raise UserError(
                f"{path}: holds Python objects, which are not read; store plain numeric arrays"
            ) from None
        problem = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: damaged or truncated npz archive ({problem}); write or copy it again"
        ) from None


def _shape(width: int | None) -> str:
    return "(K,)" if width is None else f"(K, {width})"
