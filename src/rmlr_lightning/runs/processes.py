"""Several processes of one run end with one line, whichever of them finds the mistake."""

import os
import sys
import threading
import time
from typing import Any

from rmlr_lightning.errors import SharedError

# torch is not imported here: a program that has not loaded it has one process.
CLAIM = "rmlr_lightning/error"
OTHER_ENDED = "another process of this run ended without a message; perhaps it ran out of memory"
# What gloo and NCCL answer when the process at the other end is gone.
LOST_CONNECTION = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "NCCL communicator was aborted",
    "remote process has exited",
)


def lost_connection(error: BaseException) -> bool:
    """Whether an error only means that another process is gone."""
    is_running = _distributed() is not None
    return is_running and any(text in str(error) for text in LOST_CONNECTION)


def prints_error(error: BaseException) -> bool:
    """Whether this process prints the line of an error: one process of a run does."""
    distributed = _distributed()
    if distributed is None:
        return True
    rank = distributed.get_rank()
    if isinstance(error, SharedError):
        return rank == 0
    try:
        # the first process that asks has the word; the others read its number
        store = distributed.distributed_c10d._get_default_store()
        return store.compare_set(CLAIM, "", str(rank)).decode() == str(rank)
    # the first process keeps the store, and has ended with its own line; torch's errors of the
    # network are RuntimeErrors, and a group that is no more is a ValueError
    except (RuntimeError, ValueError):
        return False


def is_child() -> bool:
    """Whether this is one of several processes, and not the first."""
    distributed = _distributed()
    return distributed is not None and distributed.get_rank() > 0


def end_with_parent() -> None:
    """Let this process end within a second after the one that started it, however that one ended.

    NCCL waits for minutes for a process that was killed, and holds the GPU meanwhile.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(2)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def exit_status(error: BaseException) -> int:
    """2; 0 in all but the first process where all of them end at once.

    The first process is about to end with status 2, and would be ended before that if another one
    had ended with a status of its own.
    """
    return 0 if isinstance(error, SharedError) and is_child() else 2


def _distributed() -> Any | None:
    """torch.distributed, if this process is one of several."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed
