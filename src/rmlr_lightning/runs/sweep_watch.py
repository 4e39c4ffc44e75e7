"""`rmlr-report --watch DIR`: how far all runs of a sweep are, whichever processes do them."""

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.runs.sweep_life import is_alive
from rmlr_lightning.runs.sweep_progress import Look, SweepProgress, read_sweep

SECONDS = 2.0  # between two looks at the files
PATIENCE = 60.0  # for a sweep that is just being started
ABSENCE = 5  # looks without any process of the sweep, after which it counts as stopped
QUIET = 300.0  # in a log file, where nothing has changed


def watch(folder: Path) -> None:
    """Show a line about the sweep and one for each run under way, until the sweep ends.

    A sweep none of whose processes lives has stopped: a line tells so, and the watch ends.

    On a terminal they are replaced; elsewhere the first is repeated when its counts change, and
    when there is an estimate.

    Raises:
        UserError: no sweep was started in the folder, nor is within a minute.
    """
    progress = _opened(folder)
    is_terminal = sys.stdout.isatty()
    shown: tuple[int, ...] = ()
    at, height, absent = 0.0, 0, 0
    while True:
        # before the look: the last process may finish the last run meanwhile
        absent = 0 if is_alive(folder) else absent + 1
        if not progress.earlier.seconds:
            progress.earlier = read_sweep(folder).earlier  # written with the first run
        look = progress.look()
        if absent:  # what has begun is not under way
            look = look._replace(under_way=())
        counts = (look.finished, look.failed, len(look.under_way), look.seconds is None)
        if is_terminal:
            height = _replace(height, [progress.line(look), *look.under_way])
        elif counts != shown or time.monotonic() - at > QUIET:
            print(_line(progress, look), flush=True)
            shown, at = counts, time.monotonic()
        if look.left == 0:
            break
        if absent == ABSENCE:
            print("stopped: no process does this sweep any more; the same command resumes it")
            break
        time.sleep(SECONDS)


def _line(progress: SweepProgress, look: Look) -> str:
    number = len(look.under_way)
    return progress.line(look) + (f"; {counted(number, 'run')} under way" if number else "")


def _replace(height: int, lines: Sequence[str]) -> int:
    """Print lines in place of the last `height` ones, and return how many there are now."""
    size = shutil.get_terminal_size()
    # a line that is broken, or one above the window, could not be replaced
    lines = [_within(line, size.columns - 1) for line in lines[: size.lines - 1]]
    up = f"\x1b[{height}A" if height else ""
    print(f"{up}\r\x1b[J" + "\n".join(lines), flush=True)
    return len(lines)


def _within(line: str, width: int) -> str:
    """The line, without its middle where it is longer: a run's epoch stands at its end."""
    if len(line) <= width:
        return line
    end = width // 2
    return f"{line[: width - end - 3]}...{line[len(line) - end :]}"


def _opened(folder: Path) -> SweepProgress:
    begin, was_printed = time.monotonic(), False
    while True:
        try:
            return read_sweep(folder)
        except UserError:
            if not folder.is_dir() or time.monotonic() - begin > PATIENCE:
                raise
        if not was_printed:
            print(f"{folder}: no sweep yet; waits a minute for one to start", file=sys.stderr)
            was_printed = True
        time.sleep(SECONDS)
