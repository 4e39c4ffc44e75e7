"""Writing a file once, whole, and by one process alone, whoever else is writing beside it or was killed before.

A writer holds a lock (flock) on NAME.part while it writes, and renames it when everything is on the disk. The system
gives the lock back when the writer dies, so what a killed one left behind is simply taken over.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from rmlr_lightning.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)


def write_once(path: Path, content: Callable[[], bytes], wait: bool = True) -> bool:
    """Make the file unless it is there. True where it is there afterwards.

    Args:
        content: makes the bytes; asked for only by the one process that writes.
        wait: False gives up (and returns False) where another process is at it; True waits until that one is done, and
            does its work where it died.

    Raises:
        UserError: no room on the disk, or a folder that cannot be written; no half-written file is left.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not path.exists():
            file = _locked(part, wait)
            if file is None:
                return False
            try:
                if _is(part, file) and not path.exists():
                    _write(file, part, path, content())
            finally:
                if _is(part, file):  # not renamed: it failed, or somebody else had made the file
                    part.unlink()
                os.close(file)
        return True
    except OSError as error:
        if error.errno in FULL:
            raise UserError(
                f"{path}: the disk is full; make room or choose another folder with features.path=FOLDER, and start again"
            ) from error
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error


def sweep(folder: Path) -> None:
    """Remove what killed writers left beside finished files; what a living one holds stays."""
    for part in sorted(folder.glob("*.part")):
        if not part.with_name(part.name.removesuffix(".part")).exists():
            continue  # the next writer takes it over
        try:
            file = os.open(part, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is(part, file):
                part.unlink()
        except BlockingIOError:
            pass
        finally:
            os.close(file)


def _locked(part: Path, wait: bool) -> int | None:
    file = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(file)
        return None
    except OSError:
        os.close(file)
        raise
    return file


def _is(part: Path, file: int) -> bool:
    """Whether the name still means the open file: another writer may have finished it, or removed it, meanwhile."""
    try:
        return os.path.samestat(os.stat(part), os.fstat(file))
    except FileNotFoundError:
        return False


def _write(file: int, part: Path, path: Path, content: bytes) -> None:
    os.ftruncate(file, 0)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
    os.fsync(file)
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
