"""Names of the folders of sweeps and of their runs: what was typed that changes a result."""

import hashlib
import os
from collections.abc import Sequence

from rmlr_lightning.report.relevant_config import IRRELEVANT_KEYS
from rmlr_lightning.runs.secrets import words_without_secrets

# These change no result either, or are named by what they stand for.
NOT_NAMED = (*IRRELEVANT_KEYS, "sweep", "name", "trainer.devices", "trainer.accelerator")
NOTHING_TYPED = "default"
MAX_NAME_BYTES = 250  # file systems take 255


def folder_name(words: Sequence[str]) -> str:
    """The name of a folder, such as `experiment=rmlr,seed=1`, whatever the order of the words.

    A sweep that is started again finds its folder and those of its runs by it.

    Args:
        words: overrides of the task: those of a run, or with all values those of a sweep.
    """
    # a plus adds a key, which makes no other run of it
    bare = (word.lstrip("+") for word in words_without_secrets(words))
    named = sorted(word for word in bare if not _starts(word.lstrip("~").partition("=")[0]))
    return short_name(",".join(named) or NOTHING_TYPED)


def _starts(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in NOT_NAMED)


def short_name(name: str) -> str:
    """The name of a run's folder; one that is too long is cut and ends in its hash.

    A value with slashes, as of `model.detector.path=A/B`, would be folders inside each other: runs
    of a sweep would not find each other, nor would its progress be counted.
    """
    return cut(name.replace("/", "_"), MAX_NAME_BYTES)


def cut(name: str, max_bytes: int) -> str:
    """The name; one that has more bytes is cut and ends in its hash."""
    encoded = os.fsencode(name)  # a name may have bytes that are no UTF-8
    if len(encoded) <= max_bytes:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    start = encoded[: max_bytes - len(digest) - 1].decode(errors="ignore")
    return f"{start}-{digest}"
