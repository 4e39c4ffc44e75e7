"""The images that are held out as a validation split where a data set has none."""

import hashlib
from pathlib import Path

SHARE = 0.05


def is_held_out(file_name: str, share: float = SHARE) -> bool:
    """Whether an image is held out; it depends on its file name alone, so it is never both.

    Args:
        share: of the images that is held out.
    """
    digest = hashlib.sha256(Path(file_name).name.encode()).hexdigest()
    return int(digest[:8], 16) / 2**32 < share
