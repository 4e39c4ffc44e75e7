"""Secrets of the user stay out of the files, checkpoints and logs of a run, which get published."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

HIDDEN = "(hidden)"
_WORDS = "token|password|passwd|secret|credentials?|(?:api|access|secret|private|wandb)_?key"
# names of options that hold a secret; `token_dim` holds none
NAME = re.compile(rf"(?:^|[\W_])(?:{_WORDS})$", re.IGNORECASE)
# the value of such an option in a command line, also within braces; references are no secrets
TYPED = re.compile(
    rf"((?<![^\W_])(?:{_WORDS})[\"']?\s*[=:]\s*)(?!\s*[\"']?\$\{{)[^\s,}}\]]+", re.IGNORECASE
)
# tokens of the hub and of W&B wherever they stand, and the user and password of an address
VALUE = re.compile(r"\bhf_[A-Za-z0-9]{20,}|\bwandb_v\d+_\w{20,}|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)")

_recorded: ContextVar[Sequence[str]] = ContextVar("command", default=())


def without_secrets(node: Any, key: str = "") -> Any:
    """A configuration in plain containers with `(hidden)` in place of secrets.

    Args:
        key: the name under which it stands.
    """
    if isinstance(node, dict):
        return {name: without_secrets(value, str(name)) for name, value in node.items()}
    if isinstance(node, list):
        return [without_secrets(value, key) for value in node]
    if not isinstance(node, str):
        return node
    if NAME.search(key) and node and "${" not in node:
        return HIDDEN
    return VALUE.sub(HIDDEN, node)


def words_without_secrets(words: Sequence[str]) -> list[str]:
    """A command line, or overrides, likewise."""
    return [VALUE.sub(HIDDEN, TYPED.sub(rf"\g<1>{HIDDEN}", word)) for word in words]


def record_command(words: Sequence[str]) -> None:
    """What this process records as its command; else it is its command line.

    For a process of a launcher, such as submitit, whose command line the user has not typed.
    """
    _recorded.set(tuple(words))


def recorded_command() -> list[str]:
    """The command that the user typed, without secrets."""
    return words_without_secrets(_recorded.get() or sys.argv)


@contextmanager
def hidden_command_line() -> Iterator[None]:
    """Inside the context libraries that record the command line find the recorded one."""
    typed = sys.argv
    sys.argv = recorded_command()
    try:
        yield
    finally:
        sys.argv = typed
