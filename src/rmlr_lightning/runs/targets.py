"""Which classes and functions a configuration from elsewhere may name.

The configuration in a checkpoint, or in the folder of a run, is made into objects. One from a
stranger must not be able to run any function of any library.
"""

import logging
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from rmlr_lightning.annotations.file import shown
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import RESOLVERS, conf_dir

TRUST = "RMLR_TRUST"  # environment variable: more names, or starts of names, with commas
OTHER_RESOLVERS = ("oc.env", "oc.select", "hydra", "now")  # others give values, no dictionaries
ROOMS = "callbacks|data|detectors|losses|metrics|models|ops|scoring|synthetic|tasks|text"
PURE = re.compile(r"rmlr_lightning\.(losses|metrics|ops|text)\.")
OURS = re.compile(rf"rmlr_lightning\.({ROOMS})(\.\w+)+")


def check_targets(config: Any, name: str) -> None:
    """Compare every `_target_` with what the package's own configurations name.

    Args:
        config: plain containers, unresolved.
        name: of the file, for the message.

    Raises:
        UserError: another one, which `RMLR_TRUST` does not name either; or an interpolation that
            could make one.
    """
    for text in _texts(config):
        _check_interpolations(text, name)
    for target in _targets(config):
        if not _is_allowed(target):
            if OURS.fullmatch(str(target)) and object_named(target) is None:
                raise UserError(
                    f"{name}: its configuration makes {target!r}, which this version of the "
                    "package does not have"
                )
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


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        node = [*node, *node.values()]
    if isinstance(node, list):
        for value in node:
            yield from _texts(value)
    elif isinstance(node, str):
        yield node


def _check_interpolations(text: str, name: str) -> None:
    """Only references and the resolvers of the package: oc.create would make a `_target_`."""
    for start in re.finditer(r"\$\{", text):
        rest = text[start.end() :]
        reference = re.match(r"[\w./@\[\]\s-]*", rest)[0]
        follows = rest[len(reference) : len(reference) + 1]
        is_reference = follows == "}"
        # the name of a resolver may be an interpolation itself, which is refused, too
        is_known = follows == ":" and reference.strip() in {*RESOLVERS, *OTHER_RESOLVERS}
        if not is_reference and not is_known:
            raise UserError(
                f"{name}: its configuration has the interpolation {shown(text)}, which no "
                "configuration of this package has; write the value in its place"
            )


def _is_allowed(target: Any) -> bool:
    if not isinstance(target, str):
        return False
    trusted = [part.strip() for part in os.environ.get(TRUST, "").split(",")]
    if any(target == part or target.startswith(f"{part}.") for part in trusted if part):
        return True
    return target in _of_the_package() or _is_defined_here(target)


def object_named(target: str) -> Any:
    """What a dotted name stands for; None if it leads nowhere."""
    log = logging.getLogger(get_object.__module__)
    log.disabled = True  # it would print several lines beside our own
    try:
        return get_object(target)
    except Exception:  # of any class: a module that is imported runs its own code
        return None
    finally:
        log.disabled = False


def _is_defined_here(target: str) -> bool:
    """Whether it is a class of the package under its own name, or a function that computes.

    Not what a module of the package has imported, such as rmlr_lightning.data.sampler.torch.load.
    """
    if not OURS.fullmatch(target):
        return False
    found = object_named(target)
    # functions of other rooms, which may write files, are made only where conf/ names them
    if not isinstance(found, type) and not PURE.match(target):
        return False
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    return f"{module}.{name}" == target


@cache
def _of_the_package() -> frozenset[str]:
    """The names in conf/."""
    texts = (path.read_text(encoding="utf-8") for path in Path(conf_dir()).rglob("*.yaml"))
    return frozenset(name for text in texts for name in re.findall(r"_target_: *([\w.]+)", text))
