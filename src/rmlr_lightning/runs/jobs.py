"""The runs of a sweep in one process."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.runs.stop_signals import stop_behind
from rmlr_lightning.runs.sweep_progress import SweepProgress, number_of_runs
from rmlr_lightning.runs.user_errors import shows_tracebacks, user_message

Function = Callable[[DictConfig], Any]


class Jobs:
    """The runs of a sweep, one after the other in this process.

    Args:
        config_name: "train" for runs that write metrics.json, by which finished ones are counted.
    """

    def __init__(self, config_name: str = "") -> None:
        self.trains = config_name == "train"
        self.clear()

    def clear(self) -> None:
        """Before a sweep."""
        self.number = 0
        self.progress: SweepProgress | None = None
        self.split = ""  # the option of rmlr-report for runs that are not tested
        self.failed: list[str] = []
        self.crashed = False  # one of them by an error that is not the user's
        self.tracebacks = shows_tracebacks()
        self.process = os.getpid()
        self.typed: Sequence[str] = sys.argv[1:]  # by the user
        self.words = self.typed  # what Hydra reads in their place

    def restore_typed(self) -> None:
        """What is recorded as the command is what the user typed."""
        if os.getpid() == self.process:  # that of a launcher is its own
            sys.argv[1:] = self.typed

    def run(self, function: Function, cfg: DictConfig) -> Any:
        """Do one run. If it fails, print why, so that the sweep continues with the next one."""
        # A launcher such as submitit calls this in another process, and brings its error here.
        if os.getpid() != self.process:
            return function(cfg)
        if self.number == 0 and self.trains:
            sweep = HydraConfig.get()
            # of Optuna a number is given, no values
            total = sweep.sweeper.get("n_trials") or number_of_runs(
                sweep.sweeper.get("params"), self.words
            )
            self.progress = SweepProgress(Path(sweep.sweep.dir), total)
            self.split = "" if cfg.test else " --split val"
            print(self.progress.first_line())
        self.number += 1
        try:
            result = function(cfg)
            if self.progress is not None and (line := self.progress.next_line()):
                print(line)
            return result
        except Exception as error:
            if stop_behind(error) is not None:
                raise
            folder = HydraConfig.get().runtime.output_dir
            message = user_message(error)
            if message is None:
                traceback.print_exc()
                self.crashed = True
            print(f"error: {folder}: {message or 'see the traceback above'}", file=sys.stderr)
            self.failed.append(folder)
            return None

    @contextmanager
    def search(self) -> Iterator[None]:
        """For a sweeper: where all of its runs failed, that is the error, not one of its own."""
        try:
            yield
        except ValueError:
            if self.number and len(self.failed) == self.number:  # Optuna has no best run then
                self.check()
            raise

    def check(self) -> None:
        """After a sweep; prints how its report is made.

        Raises:
            UserError: a run failed.
            RuntimeError: a run failed by an error that is not the user's.
        """
        if self.progress is not None and self.progress.finished:
            folder = self.progress.folder
            print(f"report: rmlr-report {folder} --out {folder / 'report'}{self.split}")
        if not self.failed:
            return
        folders = ", ".join(self.failed)
        message = f"{len(self.failed)} of {counted(self.number, 'run')} failed: {folders}"
        if self.crashed:
            raise RuntimeError(message)
        raise UserError(message)
