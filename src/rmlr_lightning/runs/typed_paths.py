"""Paths on the command line as they are typed, whatever characters their names have.

Hydra reads values by a grammar of its own, in which `=`, `,`, brackets, quotes and letters beyond
ASCII have a meaning or none at all: the checkpoint of a sweep, `checkpoint=multirun/seed=1/...`,
would be an error. Values that are paths are quoted before Hydra reads them.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from rmlr_lightning.runs.config import conf_dir

# The last parts of keys whose values are paths, besides all of `paths`.
PATH_KEYS = {
    "annotations",
    "checkpoint",
    "dir",
    "export",
    "ids",
    "image_labels",
    "images",
    "instances",
    "out",
    "output",
    "path",
    "resume",
    "vocabulary",
    "weights",
    "backbone_weights",
    "world",
}
# Hydra's options whose values are the next word
VALUED = {"--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"}


def quoted_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments with those values quoted that are paths and that Hydra would not read as such.

    A value is a path if it exists, or if Hydra cannot read it and its key is one of a path. What
    Hydra reads as the same text, and values in quotes, stay as they are; so do values of options
    such as `--config-path FOLDER`, which are no overrides.
    """
    before = ["", *arguments]
    return [
        argument if option in VALUED else _quoted(argument)
        for option, argument in zip(before, arguments, strict=False)
    ]


def _quoted(argument: str) -> str:
    match = re.fullmatch(r"(\+{0,2}[\w./@]+)=(.+)", argument, re.DOTALL)
    if match is None or Path(conf_dir(), match[1].lstrip("+").partition("@")[0]).is_dir():
        return argument
    key, value = match.groups()
    names = key.lstrip("+").split(".")
    is_path_key = names[0] == "paths" or names[-1] in PATH_KEYS
    try:
        read = OverridesParser.create().parse_override(argument).value()
    except HydraException:
        is_path = is_path_key or os.sep in value or _exists(value)
    else:
        # text that OmegaConf would take for an interpolation exists, too
        is_same = read == value and not ("${" in value and _exists(value))
        is_path = not is_same and (is_path_key or os.sep in value) and _exists(value)
    return f"{key}={quote(value)}" if is_path else argument


def _exists(value: str) -> bool:
    try:
        return Path(value).exists()
    except (OSError, ValueError):  # too long for the file system, or with a null byte
        return False


def quote(value: str) -> str:
    """A value in single quotes, as Hydra reads it."""
    # Backslashes count only in front of a quote and at the end.
    # An output folder with an interpolation keeps it; a file that has such a name is that file.
    text = re.sub(r"(\\*)'", r"\1\1\\'", value)
    text = re.sub(r"(\\+)$", r"\1\1", text)
    if _exists(value):
        text = text.replace("${", "\\${")
    return f"'{text}'"
