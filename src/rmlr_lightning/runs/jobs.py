"""The runs of a sweep in one process."""

import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from rmlr_lightning.errors import UserError, counted, printable
from rmlr_lightning.files import write_atomic
from rmlr_lightning.runs.earlier_runs import earlier_runs
from rmlr_lightning.runs.secrets import record_command, words_without_secrets
from rmlr_lightning.runs.stop_signals import stop_behind
from rmlr_lightning.runs.sweep_life import at_work
from rmlr_lightning.runs.sweep_members import ERROR
from rmlr_lightning.runs.sweep_progress import SweepProgress
from rmlr_lightning.runs.user_errors import shows_tracebacks, user_message

Function = Callable[[DictConfig], Any]


class Jobs:
    """The runs of a sweep, one after the other in this process."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Before a sweep."""
        self.number = 0
        SweepProgress.current = None
        self.failed: list[str] = []
        self.crashed = False  # one of them by an error that is not the user's
        self.tracebacks = shows_tracebacks()
        self.process = os.getpid()
        self.program = sys.argv[0]
        self.typed: Sequence[str] = sys.argv[1:]  # by the user
        self.words = self.typed  # what Hydra reads in their place

    def restore_typed(self) -> None:
        """What is recorded as the command is what the user typed."""
        if os.getpid() == self.process:
            sys.argv[1:] = self.typed
        else:  # Lightning starts further processes by the launcher's command line
            record_command([self.program, *self.typed])

    def run(self, function: Function, cfg: DictConfig) -> Any:
        """Do one run. If it fails, print why, so that the sweep continues with the next one."""
        if os.getpid() != self.process:
            return self._run_elsewhere(function, cfg)
        progress = SweepProgress.current
        if progress is not None and self.number == 0:
            print(progress.first_line(lambda: earlier_runs(cfg, progress.folder)), flush=True)
        self.number += 1
        folder = Path(HydraConfig.get().runtime.output_dir)
        if progress is not None and progress.failed_elsewhere(folder.name):
            print(f"{folder}: skipped, it failed in another process")
            return None
        try:
            return function(cfg)
        except Exception as error:  # of any class: the runs after it are to be done
            if stop_behind(error) is not None:
                raise
            self._fail(folder, error)
            return None
        finally:
            if progress is not None:
                progress.visited += 1
                if line := progress.next_line():
                    print(line, flush=True)

    def _run_elsewhere(self, function: Function, cfg: DictConfig) -> Any:
        """Do one run in a process of a launcher, such as submitit, which gets its errors, too.

        Of a sweep it gets none: it would leave the sweep. `check` finds them in the folders.
        """
        hydra = HydraConfig.get()
        if "sweep" not in hydra.callbacks:
            return function(cfg)
        try:
            life = at_work(Path(hydra.runtime.output_dir).parent)
            try:
                return function(cfg)
            finally:
                life.release()
        except Exception as error:  # of any class: the sweep is to end with its report
            if stop_behind(error) is not None:
                raise
            folder = Path(hydra.runtime.output_dir)
            _write_error(folder, error, self._print(folder, error))
            return None

    def _fail(self, folder: Path, error: Exception) -> None:
        """Print why a run failed, and write it into its folder."""
        message = self._print(folder, error)
        self.failed.append(str(folder))
        if SweepProgress.current is not None:
            SweepProgress.current.failed.add(folder.name)
            _write_error(folder, error, message)

    def _print(self, folder: Path, error: Exception) -> str | None:
        message = user_message(error)
        if message is None:
            traceback.print_exc()
            self.crashed = True
        print(f"error: {folder}: {message or 'see the traceback above'}", file=sys.stderr)
        return message

    @contextmanager
    def search(self) -> Iterator[None]:
        """For a sweeper: where all of its runs failed, that is the error, not one of its own.

        Raises:
            UserError: a job of submitit was killed, which leaves the sweep.
        """
        try:
            yield
        except ValueError:
            if self.number and len(self.failed) == self.number:  # Optuna has no best run then
                self.check()
            raise
        except Exception as error:
            # by its name: submitit comes with an extra
            if type(error).__name__ != "UncompletedJobError" or SweepProgress.current is None:
                raise
            raise UserError(_killed(str(error), SweepProgress.current.folder)) from error

    def check(self) -> None:
        """After a sweep.

        Raises:
            UserError: a run failed.
            RuntimeError: a run failed by an error that is not the user's.
        """
        failed, number, progress = self.failed, self.number, SweepProgress.current
        if progress is not None:  # counted as in its lines: by folder, and of all processes
            folders = [*progress.failed_runs(), *failed]
            failed = list({Path(folder).name: folder for folder in folders}.values())
            number = progress.total or number
        if self.number == 0:  # a launcher did them in other processes
            for folder in failed:
                last = (Path(folder) / ERROR).read_text("utf-8").rstrip().rpartition("\n")[2]
                print(f"error: {folder}: {printable(last)}", file=sys.stderr)
        if not failed:
            return
        message = f"{len(failed)} of {counted(number, 'run')} failed: {', '.join(failed)}"
        if self.crashed:
            raise RuntimeError(message)
        raise UserError(message)


def _killed(message: str, folder: Path) -> str:
    """What to do after a job of submitit was killed; its message names a file beside the log."""
    found = re.search(r"with path (.+)/[^/\n]+$", message, re.MULTILINE)
    log = f" (its log is in {found[1]})" if found else ""
    return (
        f"{folder}: a job was killed or ran out of time{log}; the same command does what is left, "
        f"`rmlr-report {shlex.quote(str(folder))}` reports the runs that have finished"
    )


def _write_error(folder: Path, error: Exception, message: str | None) -> None:
    """Write why a run failed into its folder: the line for the user, or else the traceback."""
    text = message or "".join(traceback.format_exception(error))
    (text,) = words_without_secrets([text])
    with suppress(OSError, UserError):  # a full disk may be the error itself
        write_atomic(folder / ERROR, f"{text.strip()}\n".encode())
