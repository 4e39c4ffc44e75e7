"""SIGINT (Ctrl-C), SIGTERM and others as an exception that no library takes for its own."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGUSR1 is what SLURM sends early, SIGHUP the end of a terminal or of its connection; Windows has
# neither.
NAMES = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
SHELL = 128  # shells report a process that a signal ended as this plus the signal's number


class Stopped(BaseException):
    """A signal asked the program to stop.

    Not a KeyboardInterrupt, which Lightning turns into exit status 1.

    Args:
        signum: the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.status = SHELL + signum
        self.way_out = ""  # how to resume; filled in by who can tell


def stop_behind(error: BaseException) -> Stopped | None:
    """The signal during whose handling an error was raised, if there is one.

    Lightning's clean-up fails if the signal comes while it starts or ends an epoch.
    """
    reason: BaseException | None = error
    while reason is not None and not isinstance(reason, Stopped):
        reason = reason.__context__
    return reason


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Inside the context the first signal raises `Stopped`; a second one ends the program at once.

    A signal that the parent process has set to be ignored (nohup) stays ignored.
    """
    # Python lets only the main thread handle signals.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def stop(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # in a loading process, which the owner ends
            if signum != signal.SIGINT:
                os._exit(SHELL + signum)
            return
        signal.signal(signum, signal.SIG_DFL)
        raise Stopped(signum)

    earlier = {signum: signal.getsignal(signum) for signum in SIGNALS}
    for signum, handler in earlier.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, stop)
    try:
        yield
    finally:
        for signum, handler in earlier.items():
            signal.signal(signum, handler)
