"""What tells two data sets apart: the list of their pictures, and what stands in these files."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rmlr_lightning.cache.claim import write_once
from rmlr_lightning.errors import UserError


def fingerprint(images: Path, names: Sequence[str], notes: Path | None = None) -> str:
    """A digest of file names and contents. It does not change when the folder moves.

    Contents are read once: `notes` is a folder that remembers the digest under the names, sizes and times of the
    files, so that the next call only looks at these.

    Raises:
        UserError: a picture is missing or cannot be read.
    """
    try:
        stats = [os.stat(images / name) for name in names]
        seen = [
            (name, stat.st_size, stat.st_mtime_ns) for name, stat in zip(names, stats, strict=True)
        ]
        note = (
            notes / f"{_digest([str(images.resolve()), seen])}.txt" if notes is not None else None
        )
        if note is not None and note.is_file():
            known = note.read_text(encoding="ascii")
            if len(known) == 64:
                return known
        with ThreadPoolExecutor(4) as pool:
            contents = list(pool.map(lambda name: _content(images / name), names))
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: no such picture; check the data set's image folder"
        ) from error
    except OSError as error:
        raise UserError(
            f"{error.filename or images}: cannot be read ({error.strerror or error})"
        ) from error
    found = _digest(list(zip(names, contents, strict=True)))
    if note is not None:
        write_once(note, found.encode)
    return found


def _content(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
