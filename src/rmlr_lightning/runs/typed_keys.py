"""Keys and names on the command line: options of Lightning's Trainer, and "did you mean"."""

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir

TRAINER = "trainer"
# Choices of Hydra that come with an extra of this package
EXTRAS = {"hydra/sweeper": {"optuna": "optuna"}, "hydra/launcher": {"submitit_slurm": "slurm"}}


def with_trainer_options(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `++` before options of the Trainer that conf/trainer does not list.

    `trainer.limit_train_batches=10` then needs no plus sign.
    """
    return [f"++{argument}" if _is_unlisted(argument) else argument for argument in arguments]


def _is_unlisted(argument: str) -> bool:
    match = re.match(rf"{TRAINER}\.(\w+)=", argument)
    if match is None:
        return False
    # `++` would also pass for a listed one, but would be part of the name of a sweep's run
    listed = OmegaConf.load(Path(conf_dir(), TRAINER, "default.yaml"))
    return match[1] not in listed and match[1] in _trainer_options()


def _trainer_options() -> Iterable[str]:
    # imported here: Lightning takes seconds, and hardly any command line needs it
    from pytorch_lightning import Trainer

    return inspect.signature(Trainer).parameters


def unknown_name(
    error: HydraException, config_name: str, arguments: Sequence[str]
) -> UserError | None:
    """What to tell the user of an unknown key or file of a config group, or of several values.

    Args:
        error: of Hydra's composition.
        config_name: the file of conf/ that was composed.
        arguments: the command line.

    Returns:
        None for an error of another kind.
    """
    if isinstance(error, MissingConfigException):
        return _unknown_choice(error)
    several = re.search(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", str(error))
    if several is not None:
        return UserError(
            f"{several[1]}: several values are a sweep; add -m for it (a list has brackets: "
            "KEY=[A,B])"
        )
    match = re.search(r"Could not override '([^']+)'", str(error))
    if match is None:
        return None
    key = match[1]
    choice = _choice_with(key)
    if choice is not None:
        return UserError(f"{key}: is a key of {choice}, which is not chosen; add {choice}")
    if re.fullmatch(r"[\w/]+", key) and any(Path(conf_dir(), key).glob("*.yaml")):
        # such as `sweep`, which the configuration has no place for
        typed = next((one for one in arguments if one.startswith(f"{key}=")), f"{key}=NAME")
        return UserError(f"{typed}: this group is added with a plus sign: +{typed}")
    known = known_keys(config_name, arguments)
    if key.startswith(f"{TRAINER}."):
        known |= {f"{TRAINER}.{name}" for name in _trainer_options()}
    close = nearest(key, known)
    hint = f"did you mean {close}?" if close else "`--help` lists groups and keys"
    # a group has no key that could be added
    is_group = "/" in key
    new = "" if is_group else f" (+{key}=... adds a new key)"
    return UserError(f"{key}: no such {'group' if is_group else 'key'}; {hint}{new}")


def _choice_with(key: str) -> str | None:
    """The choice of a group that brings a key: callbacks=ema for callbacks.ema.decay."""
    group, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    file = Path(conf_dir(), group, f"{name}.yaml")
    if not re.fullmatch(r"\w+", name) or not file.is_file():
        return None
    # most choices fill their group itself; this one adds a part of its own name
    value = OmegaConf.select(OmegaConf.load(file), rest, throw_on_resolution_failure=False)
    return None if value is None else f"{group}={name}"


def _unknown_choice(error: MissingConfigException) -> UserError | None:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    extra = EXTRAS.get(group, {}).get(name)
    if extra is not None:
        return UserError(f"{group}={name} needs an extra: pip install 'rmlr-lightning[{extra}]'")
    if not group or not error.options:
        return None
    close = difflib.get_close_matches(name, error.options, 1)
    # some groups have fifty files
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(error.options)}"
    return UserError(f"{group}={name}: no such file in conf/{group}; {hint}")


def known_keys(config_name: str, arguments: Sequence[str]) -> set[str]:
    """All keys of a configuration with the groups that the arguments choose, and all groups."""
    folder = Path(conf_dir())
    groups = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_dir() and any(path.glob("*.yaml"))
    }
    selected = [argument for argument in arguments if argument.partition("=")[0] in groups]
    with initialize_config_dir(str(folder), version_base="1.3"):
        try:
            config = compose(config_name, selected)
        except HydraException:  # of a group with a second mistake, or several of a sweep
            config = compose(config_name)
    return groups | set(_keys(OmegaConf.to_container(config, resolve=False)))


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            # _target_ and the like are not for users
            if not str(name).startswith("_"):
                yield f"{prefix}{name}"
                yield from _keys(value, f"{prefix}{name}.")


def nearest(typed: str, known: Iterable[str]) -> str | None:
    """The known key that is most like the typed one; None if none is like it.

    Half of the likeness is that of the last parts: `lr` is like `optim.lr`.
    """

    def likeness(key: str) -> float:
        last = [re.split(r"[./]", text)[-1] for text in (typed, key)]
        return (
            difflib.SequenceMatcher(None, typed, key).ratio()
            + difflib.SequenceMatcher(None, *last).ratio()
        ) / 2

    best = max(sorted(known), key=likeness, default=None)
    return best if best is not None and likeness(best) >= 0.65 else None
