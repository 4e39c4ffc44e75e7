"""What console scripts with a Hydra configuration have in common."""

import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.stop_signals import stop_behind
from rmlr_lightning.runs.sweep_progress import SweepProgress, number_of_runs
from rmlr_lightning.runs.typed_keys import unknown_name, with_trainer_options
from rmlr_lightning.runs.typed_paths import quoted_paths
from rmlr_lightning.runs.user_errors import one_line_errors, shows_tracebacks, user_message

Function = Callable[[DictConfig], Any]


def hydra_program(
    config_name: str, arguments: Callable[[Sequence[str]], list[str]] = list
) -> Callable[[Function], Callable[[], Any]]:
    """Decorator: `hydra.main` with the package's configuration and one line for a user's mistake.

    A run of a sweep that fails does not stop the runs after it; those that failed are named at the
    end.

    Args:
        config_name: a file of conf/, without its ending.
        arguments: changes what the user typed before Hydra reads it.
    """

    def decorate(function: Function) -> Callable[[], Any]:
        # Hydra calls this after it has composed the configuration, and looks up by its name and
        # module where it is defined; hence `wraps`.
        jobs = Jobs(config_name)

        @functools.wraps(function)
        def run(cfg: DictConfig) -> Any:
            # imported here: the libraries take seconds, and --help and mistakes need none of them
            from rmlr_lightning.runs.framework_messages import silence_framework_messages

            silence_framework_messages()
            # Processes that the run starts inherit the variable: they must see the user's value.
            with _full_errors("1" if jobs.tracebacks else None):
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    return jobs.run(function, cfg)
                with one_line_errors(jobs.tracebacks):
                    return function(cfg)

        options = {"version_base": "1.3", "config_path": conf_dir(), "config_name": config_name}
        program = hydra.main(**options)(run)

        @functools.wraps(function)
        def main() -> Any:
            jobs.clear()
            with one_line_errors():
                check_groups(sys.argv[1:])
                sys.argv[1:] = with_trainer_options(quoted_paths(arguments(sys.argv[1:])))
                sys.argv[1:] = as_sweep(sys.argv[1:])
                # Hydra raises its errors then, which it otherwise prints on several lines
                with _full_errors("1"), _unknown_names(config_name), jobs.search():
                    result = program()
                jobs.check()
                return result

        return main

    return decorate


@contextmanager
def _unknown_names(config_name: str) -> Iterator[None]:
    """Errors of Hydra about an unknown key or choice become a user's, with the nearest name."""
    try:
        yield
    except HydraException as error:
        unknown = unknown_name(error, config_name, sys.argv[1:])
        if unknown is None:
            raise
        raise unknown from error


@contextmanager
def _full_errors(value: str | None) -> Iterator[None]:
    """HYDRA_FULL_ERROR has this value inside the context; None: it is not set."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    _set_full_errors(value)
    try:
        yield
    finally:
        _set_full_errors(before)


def _set_full_errors(value: str | None) -> None:
    os.environ.pop("HYDRA_FULL_ERROR", None)
    if value is not None:
        os.environ["HYDRA_FULL_ERROR"] = value


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

    def run(self, function: Function, cfg: DictConfig) -> Any:
        """Do one run. If it fails, print why, so that the sweep continues with the next one."""
        # A launcher such as submitit calls this in another process, and brings its error here.
        if os.getpid() != self.process:
            return function(cfg)
        if self.number == 0 and self.trains:
            sweep = HydraConfig.get()
            # of Optuna a number is given, no values
            total = sweep.sweeper.get("n_trials") or number_of_runs(
                sweep.sweeper.get("params"), sys.argv[1:]
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


def check_groups(arguments: Sequence[str]) -> None:
    """Refuse `group=null`, which Hydra answers with a traceback, and `model.ire=mlp`.

    Raises:
        UserError: an argument sets a config group to null, or names one with dots.
    """
    for argument in arguments:
        group, is_override, value = argument.partition("=")
        path = group.replace(".", "/")
        if path != group and Path(conf_dir(), path, f"{value}.yaml").is_file():
            raise UserError(
                f"{argument}: a config group is named with slashes; did you mean {path}={value}?"
            )
        is_group = re.fullmatch(r"[\w/]+", group) and Path(conf_dir(), group).is_dir()
        if is_override and is_group and value in ("", "null"):
            raise UserError(
                f"{argument}: a config group takes the name of one of its files; "
                f"'~{group}' leaves it out"
            )


def as_sweep(arguments: Sequence[str]) -> list[str]:
    """The arguments, with -m before `+sweep=NAME`.

    The file sets Hydra's mode itself, but where another argument is wrong Hydra does not read it,
    and asks for --multirun instead of naming the mistake.
    """
    is_sweep = any(argument.startswith("+sweep=") for argument in arguments)
    has_flags = any(argument.startswith("-") for argument in arguments)
    return ["-m", *arguments] if is_sweep and not has_flags else list(arguments)


class OutputFolder(Callback):
    """Makes the output folder before Hydra does, which answers an error with a traceback."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """The folder of a single run."""
        _make_folder("hydra.run.dir", config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """The folder of a sweep."""
        _make_folder("hydra.sweep.dir", config.hydra.sweep.dir)


class SearchDirection(Callback):
    """Refuses Optuna's default direction: it would search for the smallest mAP."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Before a sweep."""
        direction = config.hydra.sweeper.get("direction")
        # the metric of every task is one that becomes large
        if str(getattr(direction, "name", direction)) == "minimize":
            with one_line_errors(tracebacks=False):
                raise UserError(
                    f"hydra.sweeper.direction=minimize: {config.task.monitor} is better when it "
                    "is larger; add hydra.sweeper.direction=maximize"
                )


def _make_folder(key: str, folder: str) -> None:
    # Hydra turns an error of a callback into a warning, but lets SystemExit pass.
    with one_line_errors(tracebacks=False):
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{key}={folder}: the folder cannot be made ({error.strerror})"
            ) from None
