"""Images of a run are worth less than the run."""

from collections.abc import Iterator
from contextlib import contextmanager

from rmlr_lightning.errors import UserError


@contextmanager
def optional_image() -> Iterator[None]:
    """Inside the context an image is written; where that fails, one line is printed.

    A training must not end for a plot on a full disk, before the checkpoint of its epoch.
    """
    try:
        yield
    except (UserError, OSError) as error:
        print(f"warning: {error} (the run continues without this image)")
