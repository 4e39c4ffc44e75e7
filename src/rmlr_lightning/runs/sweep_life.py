"""Whether a process is at work on a sweep: each holds a lock in its folder until it ends.

The locks of runs would not do: between two runs none is held. And who tries one, as this needs,
has it for a moment, so that a process of the sweep would skip the run.
"""

from pathlib import Path

from filelock import FileLock, Timeout

LOCKS = ".process*.lock"  # as many as processes were at work at once


def at_work(folder: Path) -> FileLock:
    """The lock of this process, held; the system releases it if the process dies.

    Args:
        folder: of the sweep.

    Raises:
        OSError, NotImplementedError: the folder cannot be written, or its disk has no locks.
    """
    number = 1
    while True:
        lock = FileLock(folder / LOCKS.replace("*", str(number)), thread_local=False)
        try:
            lock.acquire(timeout=0)
            return lock
        except Timeout:
            number += 1


def is_alive(folder: Path) -> bool:
    """Whether any process is at work; true where nobody can know, as in another user's folder."""
    return any(map(_is_held, folder.glob(LOCKS)))


def _is_held(path: Path) -> bool:
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError, NotImplementedError):
        return True
    lock.release()
    return False
