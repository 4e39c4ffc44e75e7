"""How a user's mistake ends a console script."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rmlr_lightning.errors import UserError

# Hydra, OmegaConf and Lightning are imported where an error is examined: the processes that draw
# the synthetic benchmark import this file, and must not load torch.


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a user's mistake as one line on standard error and exit with status 2.

    Errors of Hydra, OmegaConf and Lightning about the configuration count as mistakes too. Other
    errors keep their traceback. HYDRA_FULL_ERROR=1 shows every traceback.
    """
    try:
        yield
    except Exception as error:  # the mistake may be the cause of an error of any class
        message = user_message(error)
        if message is None or os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)


def user_message(error: BaseException) -> str | None:
    """The line for the user; None if the error is not a user's mistake."""
    # Hydra wraps errors of the objects it makes.
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__
    if cause is not None:
        # In an error from a loading process the message follows that process's traceback.
        return str(cause).rpartition("UserError: ")[2].strip()
    return _configuration_message(error)


def _configuration_message(error: BaseException) -> str | None:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    if isinstance(error, HydraException):
        reason = " ".join(str(error.__cause__ or error).split())
        key = str(error).rpartition("full_key: ")[2] if "full_key: " in str(error) else ""
        where = f"configuration {key}".strip()
        return f"{where}: {reason} (HYDRA_FULL_ERROR=1 shows the traceback)"
    if isinstance(error, (OmegaConfBaseException, MisconfigurationException)):
        return f"configuration: {str(error).splitlines()[0]}"
    return None
