"""Which classes and functions a configuration from elsewhere may name.

The configuration in a checkpoint, or in the folder of a run, is made into objects. One from a
stranger must not be able to run any function of any library.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir

TRUST = "RMLR_TRUST"  # environment variable: more names, or starts of names, with commas
ROOMS = "callbacks|data|detectors|losses|metrics|models|ops|scoring|synthetic|tasks|text"
OURS = re.compile(rf"rmlr_lightning\.({ROOMS})(\.\w+)+")


def check_targets(config: Any, name: str) -> None:
    """Compare every `_target_` with what the package's own configurations name.

    Args:
        config: plain containers, unresolved.
        name: of the file, for the message.

    Raises:
        UserError: another one, which `RMLR_TRUST` does not name either.
    """
    for target in _targets(config):
        if not _is_allowed(target):
            raise UserError(
                f"{name}: its configuration makes {target!r}, which is not of this package; if "
                f"you trust the file, set the environment variable {TRUST}={target}"
            )


def _targets(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_target_":
                yield value
            yield from _targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _targets(value)


def _is_allowed(target: Any) -> bool:
    if not isinstance(target, str):
        return False
    trusted = [part.strip() for part in os.environ.get(TRUST, "").split(",")]
    if any(target == part or target.startswith(f"{part}.") for part in trusted if part):
        return True
    return target in _of_the_package() or _is_defined_here(target)


def _is_defined_here(target: str) -> bool:
    """Whether it is a class or function of the package under its own name.

    Not what a module of the package has imported, such as rmlr_lightning.data.sampler.torch.load.
    """
    if not OURS.fullmatch(target):
        return False
    try:
        found = get_object(target)
    except Exception:  # hydra raises errors of several classes
        return False
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    return f"{module}.{name}" == target


@cache
def _of_the_package() -> frozenset[str]:
    """The names in conf/."""
    texts = (path.read_text(encoding="utf-8") for path in Path(conf_dir()).rglob("*.yaml"))
    return frozenset(name for text in texts for name in re.findall(r"_target_: *([\w.]+)", text))
