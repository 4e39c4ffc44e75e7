"""What differs between the configurations of two runs, key by key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rmlr_lightning.errors import printable
from rmlr_lightning.report.relevant_config import relevant

MAX_ROWS = 15  # that are shown at once
MAX_VALUE = 100  # characters
ABSENT = "-"
EMPTY = (None, {})  # a group that is not there, or that holds nothing
# They name a run, or decide what is done after its training.
NO_RESULT = ("name", "test", "export")
# The most important ones first; the others follow in alphabetical order.
ORDER = (
    "seed",
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.limit_train_batches",
    "model",
    "loss",
    "optim",
    "trainer.precision",
    "trainer.accumulate_grad_batches",
    "data",
    "text",
    "alignment",
    "task",
    "features",
    "trainer",
)
UNREADABLE = (OSError, ValueError, TypeError, LookupError, AttributeError)
UNREADABLE += (RecursionError, yaml.YAMLError)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast


class Difference(NamedTuple):
    """A key and its two values, as text."""

    key: str
    a: str
    b: str


def config_differences(a: Path, b: Path) -> list[Difference] | None:
    """The keys that differ and may change the result, the most important ones first.

    What only follows from another key, such as `task.module.optim` from `optim`, is left out. Of a
    part that only one of the two has, or of two parts of other classes, the class is one line.

    Args:
        a, b: folders of runs.

    Returns:
        None where a configuration is missing or damaged.
    """
    try:
        configs = [_relevant_config(folder) for folder in (a, b)]
        sources = [_source(folder) for folder in (a, b)]
        found = [
            Difference(printable(".".join(path)), _text(first), _text(second))
            for path, first, second in _differing(*configs)
            if not _follows(path, *sources)
        ]
    except UNREADABLE:  # a value may be too long a number to be shown, too
        return None
    return sorted(found, key=lambda difference: (_rank(difference.key), difference.key))


def _relevant_config(folder: Path) -> dict[str, Any]:
    config = _read(folder / "config.yaml")
    paths = config.get("paths")
    paths = {"output": str(folder), "data": "data"} | (paths if isinstance(paths, dict) else {})
    config = relevant(config | {"paths": paths})
    return {key: value for key, value in config.items() if key not in NO_RESULT}


def _source(folder: Path) -> dict[str, Any]:
    """The configuration with its references; empty where a run has none that can be read."""
    try:
        return _read(folder / ".hydra" / "config.yaml")
    except UNREADABLE:
        return {}


def _read(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    # rmlr-train writes no aliases; nested ones would have a thousand million members
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, LOADER)):
        raise ValueError("aliases")
    read = yaml.load(text, LOADER)
    if not isinstance(read, dict):
        raise ValueError("no mapping")
    return read


def _differing(
    a: Any, b: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Paths of keys, with both values; None for a key that is missing, as for one that is null."""
    if a == b or (a in EMPTY and b in EMPTY):
        return
    if not (isinstance(a, dict) and isinstance(b, dict)):
        members = _members(a), _members(b)
        if members[0] is None or members[1] is None:
            yield path, a, b
        else:
            yield from _differing(*members, path)
        return

    # Options that only one of two classes has follow from the class.
    is_same = a.get("_target_") == b.get("_target_")
    if not is_same:
        yield (*path, "_target_"), a.get("_target_"), b.get("_target_")
    keys = a.keys() | b.keys() if is_same else (a.keys() & b.keys()) - {"_target_"}
    for key in keys:
        yield from _differing(a.get(key), b.get(key), (*path, str(key)))


def _members(value: Any) -> dict[str, Any] | None:
    """A list with parts of the configuration in it, by place; None for any other value."""
    if isinstance(value, list) and any(isinstance(member, dict) for member in value):
        return {str(place): member for place, member in enumerate(value)}
    return None


def _follows(path: tuple[str, ...], *sources: dict[str, Any]) -> bool:
    """Whether the value is the same reference to another key in all configurations that have it."""
    references = {_reference(path, source) for source in sources}
    return len(references - {""}) == 1 and None not in references


def _reference(path: tuple[str, ...], source: Any) -> str | None:
    """The text that refers to another key; "" where nothing is at the path; None for a value."""
    for key in path:
        if isinstance(source, list) and key.isdecimal():
            source = source[int(key)] if int(key) < len(source) else None
        else:
            source = source.get(key) if isinstance(source, dict) else None
        if source is None:
            return ""
        if isinstance(source, str) and "${" in source and "${oc.env:" not in source:
            return source
    return None


def _text(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, dict) and isinstance(value.get("_target_"), str):
        value = value["_target_"]
    if isinstance(value, (dict, list)):
        text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    text = printable(text.strip())
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}..."


def _rank(key: str) -> int:
    """The place of the longest name in `ORDER` that the key starts with."""
    names = [name for name in ORDER if key == name or key.startswith(f"{name}.")]
    return ORDER.index(max(names, key=len)) if names else len(ORDER)
