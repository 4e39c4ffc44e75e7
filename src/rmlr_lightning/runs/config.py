"""Where the configuration lives, and how a user's mistake ends a program."""

import hashlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import OmegaConf

import rmlr_lightning
from rmlr_lightning.errors import UserError


def conf_dir() -> str:
    """The folder of Hydra's configuration: beside the sources in a checkout, inside the package in a wheel."""
    package = Path(rmlr_lightning.__file__).parent
    inside = package / "conf"
    return str(inside if inside.is_dir() else package.parents[1] / "conf")


def short_name(name: str, most: int = 250) -> str:
    """A run's folder; file systems take 255 bytes, so a longer name ends in a hash of what is left out."""
    if len(name.encode()) <= most:
        return name
    return f"{name.encode()[: most - 17].decode(errors='ignore')}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


OmegaConf.register_new_resolver(
    "shipped",
    lambda name: str(Path(rmlr_lightning.__file__).parent / "weights" / name),
    replace=True,
)
OmegaConf.register_new_resolver(
    "world_file", lambda out: f"{out}/world.json" if out else None, replace=True
)
OmegaConf.register_new_resolver("short_name", short_name, replace=True)
OmegaConf.register_new_resolver(
    "wandb_offline", lambda: not os.environ.get("WANDB_API_KEY"), replace=True
)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a user's mistake as one line on standard error and exit with status 2.

    What Hydra, OmegaConf and Lightning refuse counts as one, too; HYDRA_FULL_ERROR=1 shows where it happened.
    """
    try:
        yield
    except (
        Exception
    ) as error:  # of any kind, to look for a mistake among its causes; the rest goes on
        line = _line(error)
        if line is None or os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(2)


def _line(error: BaseException) -> str | None:
    """What to tell the user; None where it is no mistake of theirs."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__  # hydra wraps what happens while it makes an object
    if cause is not None:
        return (
            str(cause).rpartition("UserError: ")[2].strip()
        )  # a loading process sends its traceback along
    # Not above: processes that draw the world import this file, and must not bring torch
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    if isinstance(error, HydraException):
        reason = error.__cause__ or error
        where = str(error).rpartition("full_key: ")[2] if "full_key: " in str(error) else ""
        what = f"configuration {where}".strip()
        return f"{what}: {' '.join(str(reason).split())} (HYDRA_FULL_ERROR=1 shows where)"
    if isinstance(error, (OmegaConfBaseException, MisconfigurationException)):
        return f"configuration: {str(error).splitlines()[0]}"
    return None


def quiet() -> None:
    """Silence what a user need not act on."""
    # Frozen modules are meant to be in evaluation mode; Lightning cannot know
    warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode")
    # Two cores and small pictures: more loading processes would only take turns
    warnings.filterwarnings("ignore", "The '.*' does not have many workers")
    # The summary's size in MB is nobody's concern
    warnings.filterwarnings("ignore", "Precision .* is not supported by the model summary")
    # Lightning 2.6 asks torch 2.15 in a way that torch deprecates
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated", FutureWarning)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_worth_saying)
    os.environ.setdefault("WANDB_SILENT", "true")


def _worth_saying(record: logging.LogRecord) -> bool:
    """Whether a message of Lightning's is neither advertising nor about hardware that is not there."""
    return "Tip:" not in record.getMessage() and not record.getMessage().startswith(
        "TPU available: False"
    )
