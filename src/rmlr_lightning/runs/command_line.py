"""Options of console scripts: one line for a mistake, files of any name."""

import argparse
import difflib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.runs.secrets import words_without_secrets


class CommandLine(argparse.ArgumentParser):
    """An argparse parser whose errors are one line, without the usage before it.

    An unknown option is named first: argparse would rather miss an argument.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._typed: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._typed = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        # argparse reports unknown options by the parser of the whole program
        parser = self._typed_command() or self
        unknown = self._unknown_option(parser)
        if unknown is not None:
            message = f"unrecognized arguments: {unknown}"
        mistake = _mistake(parser, message)
        self.exit(2, f"error: {mistake} (`{parser.prog} --help` lists the options)\n")

    def _typed_command(self) -> argparse.ArgumentParser | None:
        """The parser of the command that was typed, if the program has commands."""
        first = next((word for word in self._typed if not word.startswith("-")), None)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return action.choices.get(first)
        return None

    def _unknown_option(self, parser: argparse.ArgumentParser) -> str | None:
        known = {"--", *_options(parser)}
        for word in self._typed:
            if word == "--":  # files follow
                return None
            if word.startswith("--") and word.partition("=")[0] not in known:
                return word
        return None


def check_hydra_options(arguments: Sequence[str], others: Sequence[str] = ()) -> None:
    """Refuse what Hydra answers with its whole usage, such as `--hlep`.

    Args:
        arguments: for Hydra.
        others: options of the program that Hydra does not get.

    Raises:
        UserError: an option is unknown, or its value is.
    """
    # imported here: the other programs use this file without Hydra
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()

    def error(message: str) -> NoReturn:
        mistake = _mistake(parser, message, others)
        raise UserError(f"{mistake} (`{parser.prog} --hydra-help` lists the options)")

    parser.error = error
    parser.parse_args(arguments)


def warn_of_repeated_keys(arguments: Sequence[str]) -> None:
    """Print which value counts where a key is typed twice: Hydra takes the last one silently.

    Args:
        arguments: as the user typed them.
    """
    # a process that Lightning starts for another GPU gets more than what was typed
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return
    typed: dict[str, list[str]] = {}
    for argument in arguments:
        override = re.fullmatch(r"\+{0,2}([\w/.@:-]+)=.*", argument, re.DOTALL)
        if override is not None and not argument.startswith("-"):
            typed.setdefault(override[1], []).append(argument)
    for key, words in typed.items():
        if len(words) > 1:
            times = "twice" if len(words) == 2 else f"{len(words)} times"
            (last,) = words_without_secrets(words[-1:])
            print(
                f"warning: {key} is given {times}; the last one counts: {printable(last)}",
                file=sys.stderr,
            )


def _mistake(parser: argparse.ArgumentParser, message: str, others: Sequence[str] = ()) -> str:
    """argparse's message on one line; that of an unknown option has the nearest known one."""
    text = " ".join(message.split())
    unknown = re.match(r"unrecognized arguments: (--[\w-]+)", text)
    if unknown is not None:
        close = difflib.get_close_matches(unknown[1], [*_options(parser), *others], 1)
        text = f"{unknown[1]}: no such option"
        text += f"; did you mean {close[0]}?" if close else ""
    return text


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Names of all options, with those of its commands."""
    names: list[str] = []
    for action in parser._actions:
        names += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                names += _options(command)
    return names


def file_arguments(arguments: Sequence[str] | None = None) -> list[str]:
    """The arguments, with "./" before files such as "-1.jpg", which argparse takes for options.

    Args:
        arguments: those of this process if None.
    """
    typed = sys.argv[1:] if arguments is None else arguments
    return [f"./{argument}" if _is_file(argument) else argument for argument in typed]


def _is_file(argument: str) -> bool:
    # no option has a dot in its name
    if not argument.startswith("-") or "." not in argument:
        return False
    try:
        return Path(argument).exists()
    except (OSError, ValueError):  # too long, or with a null byte
        return False
