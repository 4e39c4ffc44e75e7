"""How a user's mistake, a full disk or a signal ends a console script."""

import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.runs.processes import (
    OTHER_ENDED,
    exit_status,
    is_child,
    lost_connection,
    prints_error,
)
from rmlr_lightning.runs.stop_signals import Stopped, stop_behind, stop_on_signals

# Hydra, OmegaConf and Lightning are imported where an error is examined: the processes that draw
# the synthetic benchmark import this file, and must not load torch.

NO_PROCESS = "no further process can be started; allow more (ulimit -u) or use data.num_workers=0"
# What the machine refuses, and what the user can do about it
OF_THE_MACHINE = {
    errno.ENOSPC: "the disk is full; make room",
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.EFBIG: "the file would be larger than this system allows (ulimit -f)",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission denied; choose a folder that is yours",
    errno.EPERM: "permission denied; choose a folder that is yours",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EMFILE: "too many open files; allow more (ulimit -n) or use fewer loading processes",
    errno.ENFILE: "too many open files on this machine; use fewer loading processes",
    errno.ENOMEM: "memory ran out; use fewer loading processes, or a smaller data.batch_size",
    errno.EIO: "the disk cannot be read or written",
    errno.ESTALE: "the network disk has lost the file; try again",
    errno.EAGAIN: NO_PROCESS,
    errno.EPIPE: "the program that read the output, such as `head`, has ended",
}


def shows_tracebacks() -> bool:
    """Whether the user wants to see the traceback of every error."""
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


@contextmanager
def one_line_errors(tracebacks: bool | None = None) -> Iterator[None]:
    """Print a user's mistake as one line on standard error and exit with status 2.

    Errors of Hydra, OmegaConf and Lightning about the configuration count as mistakes too, and so
    do a full disk and other limits of the machine. Other errors keep their traceback.
    HYDRA_FULL_ERROR=1 shows every traceback. Ctrl-C, SIGTERM, SIGUSR1 and SIGHUP print one line and
    exit with status 130, 143, 138 and 129.

    Args:
        tracebacks: show them all; None is what the user wants.
    """
    if tracebacks is None:
        tracebacks = shows_tracebacks()
    # a file name that is no UTF-8 can be printed only with escapes
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with stop_on_signals():
            yield
        if sys.stdout is not None:  # closed by who started this program
            sys.stdout.flush()
    # a mistake may be the cause of an error of any class
    except (Stopped, SystemExit, Exception) as error:
        _drop_unwritten()
        if isinstance(error, SystemExit):
            if error.code != 1 or not isinstance(error.__context__, BrokenPipeError):
                raise
            error = error.__context__  # rich exits where nobody reads its output any more
        stopped = stop_behind(error)
        if stopped is not None:
            if is_child():  # the first process has the word, and the status
                sys.exit(0)
            print("; ".join(filter(None, [str(stopped), stopped.way_out])), file=sys.stderr)
            sys.exit(stopped.status)
        message = user_message(error)
        if message is None or tracebacks:
            raise
        if prints_error(error):
            print(f"error: {printable(message)}", file=sys.stderr)
        sys.exit(exit_status(error))


def _drop_unwritten() -> None:
    """If lines cannot be printed, forget them: the interpreter would try again, and complain."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with suppress(OSError):  # not a file of the system, where a program calls this
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def user_message(error: BaseException) -> str | None:
    """The line for the user; None if the error is not a user's mistake."""
    # Hydra wraps errors of the objects it makes.
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, UserError):
            return _own_message(cause)
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in OF_THE_MACHINE:
            where = f"{cause.filename}: " if cause.filename else ""
            return where + OF_THE_MACHINE[cause.errno]
    memory = next(filter(None, map(_memory_message, causes)), None)
    if memory is not None:
        return memory
    texts = [str(cause) for cause in causes]
    if any(text.startswith("can't start new thread") for text in texts):
        return NO_PROCESS
    if any("No usable temporary directory" in text for text in texts):
        return "no folder for temporary files can be written; set TMPDIR to one that is yours"
    if lost_connection(error):
        return OTHER_ENDED
    return _worker_message(error) or _configuration_message(error)


def _own_message(error: UserError) -> str:
    message = str(error.args[0]) if error.args else ""
    if not message.startswith("Caught "):
        return message
    # in an error from a loading process it follows that process's traceback
    return re.split(r"^[\w.]*Error: ", message, flags=re.MULTILINE)[-1].strip()


def _memory_message(error: BaseException) -> str | None:
    # by name: torch is not imported here
    if type(error).__name__ == "OutOfMemoryError":
        whose = "the GPU's memory"
    elif isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        whose = "the memory"
    else:
        return None
    return (
        f"{whose} ran out; use a smaller data.batch_size (with trainer.accumulate_grad_batches the "
        "step stays the same) or data.eval_batch_size, or smaller or fewer images"
    )


def _worker_message(error: BaseException) -> str | None:
    """What a killed loading process or an idle weight means; torch's own words name no option."""
    text = str(error)
    if "parameters that were not used in producing loss" in text:
        return (
            "some weights got no gradient in a step, which several processes must know before; use "
            "trainer.strategy=ddp_find_unused_parameters_true"
        )
    if not text.startswith("DataLoader worker"):
        return None
    if "Bus error" in text:
        return (
            "a loading process found no room in /dev/shm; enlarge it (docker run --shm-size=8g), "
            "or use data.num_workers=0 or a smaller data.batch_size"
        )
    return (
        "a loading process was killed, perhaps because memory ran out; use fewer "
        "(data.num_workers), or a smaller data.batch_size"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _configuration_message(error: BaseException) -> str | None:
    from hydra.errors import HydraException, InstantiationException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, InstantiationException):
        reason = " ".join(str(error.__cause__ or error).split())
        key = str(error).rpartition("full_key: ")[2] if "full_key: " in str(error) else ""
        where = f"configuration {key}".strip()
        return f"{where}: {reason} (HYDRA_FULL_ERROR=1 shows the traceback)"
    if isinstance(error, HydraException):
        text = str(error).partition("Config search path:")[0]
        return f"configuration: {' '.join(text.split())}"
    if isinstance(error, OmegaConfBaseException) or _is_misconfiguration(error):
        return f"configuration: {str(error).splitlines()[0]}"
    return None


def _is_misconfiguration(error: BaseException) -> bool:
    """Whether it is Lightning's error about wrong options."""
    # Not imported for this: an error of Lightning's is raised by a program that has loaded it.
    lightning = sys.modules.get("pytorch_lightning.utilities.exceptions")
    return lightning is not None and isinstance(error, lightning.MisconfigurationException)
