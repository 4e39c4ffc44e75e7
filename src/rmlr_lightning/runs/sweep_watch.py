"""`rmlr-report --watch DIR`: one line about all runs of a sweep, whichever processes do them."""

import shutil
import sys
import time
from pathlib import Path

from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.runs.sweep_progress import Look, SweepProgress, read_sweep

SECONDS = 2.0  # between two looks at the files
PATIENCE = 60.0  # for a sweep that is just being started
QUIET = 300.0  # in a log file, where nothing has changed


def watch(folder: Path) -> None:
    """Show the line until the sweep ends: replaced on a terminal, repeated when counts change.

    Raises:
        UserError: no sweep was started in the folder, nor is within a minute.
    """
    progress = _opened(folder)
    is_terminal = sys.stdout.isatty()
    shown: tuple[int, ...] = ()
    at = 0.0
    while True:
        if not progress.earlier:
            progress.earlier = read_sweep(folder).earlier  # written with the first run
        look = progress.look()
        counts = (look.finished, look.failed, look.started)
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1  # a longer line would not be replaced
            print(f"\r{_line(progress, look)[:width]}\x1b[K", end="", flush=True)
        elif counts != shown or time.monotonic() - at > QUIET:
            print(_line(progress, look), flush=True)
            shown, at = counts, time.monotonic()
        if look.left == 0:
            break
        time.sleep(SECONDS)
    if is_terminal:
        print()


def _line(progress: SweepProgress, look: Look) -> str:
    begun = f"; {counted(look.started, 'run')} under way" if look.started else ""
    return progress.line(look) + begun


def _opened(folder: Path) -> SweepProgress:
    begin = time.monotonic()
    while True:
        try:
            return read_sweep(folder)
        except UserError:
            if not folder.is_dir() or time.monotonic() - begin > PATIENCE:
                raise
        time.sleep(SECONDS)
