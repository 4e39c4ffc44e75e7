"""What a program that Hydra configures has in common with the others."""

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir, one_line_errors, quiet


def command(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """Make a program of a function: `hydra.main` with our configuration, and one line for a user's mistake."""

    def decorate(run: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        @functools.wraps(run)  # Hydra looks up where the function is defined
        def told(cfg: DictConfig) -> Any:
            quiet()
            with one_line_errors():
                return run(cfg)

        program = hydra.main(version_base="1.3", config_path=conf_dir(), config_name=config_name)(
            told
        )

        @functools.wraps(run)
        def main() -> Any:
            with one_line_errors():
                check_groups(sys.argv[1:])
            return program()

        return main

    return decorate


def check_groups(arguments: list[str]) -> None:
    """Refuse `group=null`, which Hydra answers with a traceback.

    Raises:
        UserError: an argument sets a group of the configuration to null.
    """
    for argument in arguments:
        group, _, value = argument.partition("=")
        if (
            value in ("", "null")
            and re.fullmatch(r"[\w/]+", group)
            and Path(conf_dir(), group).is_dir()
        ):
            raise UserError(
                f"{argument}: a group names one of its files; to leave the group out write '~{group}'"
            )


class OutputFolder(Callback):
    """Makes the output folder before Hydra does, which answers with a traceback where that cannot be."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """One run: its folder."""
        _make("hydra.run.dir", config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """A sweep: the folder of all its runs."""
        _make("hydra.sweep.dir", config.hydra.sweep.dir)


def _make(key: str, folder: str) -> None:
    with one_line_errors():
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{key}={folder}: the folder cannot be made ({error.strerror})"
            ) from None
