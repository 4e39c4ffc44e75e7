"""What console scripts without Hydra have in common: one line for a mistake, files of any name."""

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn


class CommandLine(argparse.ArgumentParser):
    """An argparse parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        text = " ".join(message.split())
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", text)
        if unknown is not None:
            options = [name for action in self._actions for name in action.option_strings]
            close = difflib.get_close_matches(unknown[1], options, 1)
            text += f"; did you mean {close[0]}?" if close else ""
        self.exit(2, f"error: {text} (`{self.prog} --help` lists the options)\n")


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
