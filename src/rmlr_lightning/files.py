"""Writing a file entirely or not at all."""

import os
import tempfile
from pathlib import Path

from rmlr_lightning.errors import UserError


def write_atomic(path: str | os.PathLike[str], content: bytes) -> None:
    """Write next to the path and rename: nobody ever sees half a file.

    Raises:
        UserError: it cannot be written.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)  # mkstemp makes it private
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{path}: cannot be written ({reason}); choose a folder that exists and is yours"
        ) from None
