"""Files for people are worth less than the run that writes them."""

from collections.abc import Iterator
from contextlib import contextmanager

from rmlr_lightning.errors import UserError


@contextmanager
def optional_output(noun: str) -> Iterator[None]:
    """Inside the context a file is written; where that fails, one line is printed.

    A run must not end for a plot on a full disk, before the checkpoint of its epoch.

    Args:
        noun: what is written, such as "image".
    """
    try:
        yield
    except (UserError, OSError) as error:
        print(f"warning: {error} (the run continues without this {noun})")
