"""The fingerprint of a data set: a hash of its image files, their names and their order."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import sha256_file, write_once
from rmlr_lightning.images.image_file import ImageFolders

THREADS = 4


def fingerprint(
    images: Path | ImageFolders, names: Sequence[str], notes: Path | None = None
) -> str:
    """SHA-256 over the names and contents of image files, which does not change with the folder.

    Args:
        images: the folder, or folders, that the names are relative to.
        notes: a folder that keeps known fingerprints under a hash of the names, sizes and times of
            the files, so that contents are read only once.

    Raises:
        UserError: an image is missing or cannot be read.
    """
    try:
        note = None if notes is None else notes / f"{_stat_key(images, names)}.txt"
        known = _read_note(note)
        if known is not None:
            return known
        # Hashing releases Python's lock, and network disks answer several requests at once.
        with ThreadPoolExecutor(THREADS) as pool:
            contents = list(pool.map(lambda name: sha256_file(images / name), names))
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: no such image; check the data set's image folder"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{error.filename or images}: cannot be read ({reason})") from error

    # Contents and names, but not the folder: the cache of a data set that was moved stays valid.
    result = _json_hash(list(zip(names, contents, strict=True)))
    if note is not None:
        write_once(note, result.encode, way_out="choose another folder with features.path=FOLDER")
    return result


def _stat_key(images: Path | ImageFolders, names: Sequence[str]) -> str:
    """A hash that changes when a file is changed, without reading any file."""
    paths = [images / name for name in names]
    stats = [os.stat(path) for path in paths]
    rows = [
        (str(path), stat.st_size, stat.st_mtime_ns) for path, stat in zip(paths, stats, strict=True)
    ]
    # resolved: a relative path or a link may point elsewhere next time
    folders = sorted(str(folder.resolve()) for folder in {path.parent for path in paths})
    return _json_hash([folders, rows])


def _read_note(note: Path | None) -> str | None:
    if note is None or not note.is_file():
        return None
    text = note.read_text(encoding="ascii")
    return text if len(text) == 64 else None  # a damaged note is ignored


def _json_hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
