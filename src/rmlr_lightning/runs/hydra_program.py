"""What console scripts with a Hydra configuration have in common."""

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.command_line import check_hydra_options, warn_of_repeated_keys
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.jobs import Function, Jobs
from rmlr_lightning.runs.made_folders import make_folder, no_empty_folder, remove_empty
from rmlr_lightning.runs.sweep_progress import SweepProgress
from rmlr_lightning.runs.typed_keys import unknown_name, with_trainer_options
from rmlr_lightning.runs.typed_paths import quote, quoted_paths
from rmlr_lightning.runs.user_errors import one_line_errors

# Hydra's options without a value; after another one the next word is no override
FLAGS = ("-m", "--multirun", "--resolve")


def hydra_program(
    config_name: str,
    arguments: Callable[[Sequence[str]], list[str]] = list,
    options: Sequence[str] = (),
) -> Callable[[Function], Callable[[], Any]]:
    """Decorator: `hydra.main` with the package's configuration and one line for a user's mistake.

    A run of a sweep that fails does not stop the runs after it; those that failed are named at the
    end.

    Args:
        config_name: a file of conf/, without its ending.
        arguments: changes what the user typed before Hydra reads it.
        options: those that `arguments` takes out.
    """

    def decorate(function: Function) -> Callable[[], Any]:
        # Hydra calls this after it has composed the configuration, and looks up by its name and
        # module where it is defined; hence `wraps`.
        jobs = Jobs()

        @functools.wraps(function)
        def run(cfg: DictConfig) -> Any:
            # imported here: the libraries take seconds, and --help and mistakes need none of them
            from rmlr_lightning.runs.framework_messages import silence_framework_messages

            silence_framework_messages()
            jobs.restore_typed()
            # Processes that the run starts inherit the variable: they must see the user's value.
            with _full_errors("1" if jobs.tracebacks else None):
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    return jobs.run(function, cfg)
                with one_line_errors(jobs.tracebacks), _no_empty_folder():
                    return function(cfg)

        places = {"config_path": conf_dir(), "config_name": config_name}
        program = hydra.main(version_base="1.3", **places)(run)

        @functools.wraps(function)
        def main() -> Any:
            jobs.clear()
            with one_line_errors():
                check_groups(sys.argv[1:])
                check_seeds(sys.argv[1:])
                jobs.typed = sys.argv[1:]
                words = arguments(jobs.typed)
                check_hydra_options(words, options)
                warn_of_repeated_keys(jobs.typed)
                jobs.words = as_sweep(with_trainer_options(quoted_paths(words)))
                sys.argv[1:] = jobs.words
                # Hydra raises its errors then, which it otherwise prints on several lines
                with _full_errors("1"), _unknown_names(config_name), jobs.search():
                    result = program()
                jobs.check()
                return result

        return main

    return decorate


def _no_empty_folder() -> AbstractContextManager[None]:
    """That of `made_folders` where Hydra writes .hydra; rmlr-train does both itself, locked."""
    hydra_config = HydraConfig.get()
    if hydra_config.output_subdir is None:
        return nullcontext()
    return no_empty_folder(Path(hydra_config.runtime.output_dir))


@contextmanager
def _unknown_names(config_name: str) -> Iterator[None]:
    """Errors of Hydra about an unknown key or choice become a user's, with the nearest name."""
    try:
        yield
    except HydraException as error:
        unknown = unknown_name(error, config_name, sys.argv[1:])
        if unknown is None:
            raise
        if SweepProgress.current is not None:
            SweepProgress.current.discard_empty()
            remove_empty()  # such as multirun/
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


def check_groups(arguments: Sequence[str]) -> None:
    """Refuse `group=null`, which Hydra answers with a traceback, `model.ire=mlp`, and `upt`.

    Raises:
        UserError: an argument has no value, sets a config group to null, or names one with dots.
    """
    for option, argument in zip(["", *arguments], arguments, strict=False):
        is_value = option.startswith("-") and option not in FLAGS
        if re.fullmatch(r"[^-~=][^=]*", argument) and not is_value:
            raise UserError(
                f"{argument}: an option is KEY=VALUE, such as experiment=upt or checkpoint=FILE"
            )
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


def check_seeds(arguments: Sequence[str]) -> None:
    """Refuse a wrong seed before the first run of a sweep, and before torch is loaded.

    Raises:
        UserError: a seed that was typed is no number that random generators take.
    """
    for argument in arguments:
        # `range(5)` and interpolations are checked by the run
        typed = re.fullmatch(r"\+{0,2}seed=([\w.,+ -]*)", argument)
        for seed in map(str.strip, typed[1].split(",") if typed else ()):
            check_seed(int(seed) if re.fullmatch(r"\+?\d[\d_]*", seed) else seed)


def check_seed(seed: Any) -> None:
    """Raises `UserError` unless it is a number that random generators take."""
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UserError(f"seed={seed}: expected a whole number from 0 to 2**32 - 1")


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
        """The folder of a single run, and in it that of Hydra's files, if it writes any."""
        folder, inside = config.hydra.run.dir, config.hydra.get("output_subdir")
        _make_folder("hydra.run.dir", folder, Path(folder, inside or ""))

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """The folder of a sweep, one for all of its runs."""
        folder = config.hydra.sweep.dir
        _make_folder("hydra.sweep.dir", folder, Path(folder))
        # Hydra resolves it for every run again, where an interpolation has another value
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quote(folder)}")


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


def _make_folder(key: str, folder: str, path: Path) -> None:
    # Hydra turns an error of a callback into a warning, but lets SystemExit pass.
    with one_line_errors(tracebacks=False):
        try:
            make_folder(path)
        except OSError as error:
            raise UserError(
                f"{key}={folder}: the folder cannot be made ({error.strerror})"
            ) from None
