"""What console scripts with a Hydra configuration have in common."""

import functools
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.framework_messages import silence_framework_messages
from rmlr_lightning.runs.user_errors import one_line_errors

Function = Callable[[DictConfig], Any]


def hydra_program(config_name: str) -> Callable[[Function], Callable[[], Any]]:
    """Decorator: `hydra.main` with the package's configuration and one line for a user's mistake.

    Args:
        config_name: a file of conf/, without its ending.
    """

    def decorate(function: Function) -> Callable[[], Any]:
        # Hydra calls this after it has composed the configuration, and looks up by its name and
        # module where it is defined; hence `wraps`.
        @functools.wraps(function)
        def run(cfg: DictConfig) -> Any:
            silence_framework_messages()
            with one_line_errors():
                return function(cfg)

        options = {"version_base": "1.3", "config_path": conf_dir(), "config_name": config_name}
        program = hydra.main(**options)(run)

        @functools.wraps(function)
        def main() -> Any:
            with one_line_errors():
                check_groups(sys.argv[1:])
            return program()

        return main

    return decorate


def check_groups(arguments: Sequence[str]) -> None:
    """Refuse `group=null`, which Hydra answers with a traceback.

    Raises:
        UserError: an argument sets a config group to null.
    """
    for argument in arguments:
        group, _, value = argument.partition("=")
        is_group = re.fullmatch(r"[\w/]+", group) and Path(conf_dir(), group).is_dir()
        if is_group and value in ("", "null"):
            raise UserError(
                f"{argument}: a config group takes the name of one of its files; "
                f"'~{group}' leaves it out"
            )


class OutputFolder(Callback):
    """Makes the output folder before Hydra does, which answers an error with a traceback."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """The folder of a single run."""
        _make_folder("hydra.run.dir", config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """The folder of a sweep."""
        _make_folder("hydra.sweep.dir", config.hydra.sweep.dir)


def _make_folder(key: str, folder: str) -> None:
    with one_line_errors():
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{key}={folder}: the folder cannot be made ({error.strerror})"
            ) from None
