"""The runs of a sweep, and their states by the files in their folders."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from rmlr_lightning.runs.folder_names import folder_name

ERROR = "error.txt"  # why a run failed; until it is started again
SAME = ".same_as"  # the name of the folder that has a run of the same configuration
LIST = ".sweep.json"  # in the folder of the sweep: its members, for `rmlr-report --watch`


class Member(NamedTuple):
    """A run of a sweep."""

    name: str  # of its folder
    row: str  # the same without the seed: such runs take the same time
    experiment: str | None


class State(NamedTuple):
    """Of a run, by its files."""

    finished: bool
    failed: bool
    share: float  # of the training that is done; a run that failed is not continued: 1
    seconds: float | None  # that the training took, or by its first epochs will take
    epoch: str = ""  # such as "epoch 2 of 8", while the run is under way
    test: float | None = None  # seconds that the test took


FAILED = State(finished=False, failed=True, share=1.0, seconds=None)


def members_of(params: Mapping[str, str] | None, words: Sequence[str]) -> list[Member] | None:
    """The combinations that Hydra's own sweeper runs; None for those of another sweeper.

    Args:
        params: `hydra.sweeper.params`.
        words: overrides of the task, with all values.
    """
    defaults = [f"{key}={value}" for key, value in (params or {}).items()]
    choices: dict[str, list[str]] = {}  # of two values of a key the last one counts
    try:
        for override in OverridesParser.create().parse_overrides([*defaults, *words]):
            key = override.get_key_element()
            is_sweep = override.is_sweep_override()
            values = override.sweep_string_iterator() if is_sweep else ()
            choices[key] = [f"{key}={value}" for value in values]
            choices[key] = choices[key] or [f"{key}={override.get_value_element_as_str()}"]
    except (HydraException, AssertionError):  # such as a glob, or a range of another sweeper
        return None
    combinations = [list(words) for words in itertools.product(*choices.values())]
    return list(dict.fromkeys(map(_member, combinations)))


def _member(words: list[str]) -> Member:
    keys = [word.lstrip("+").partition("=") for word in words]
    experiment = next((value for key, _, value in keys if key == "experiment"), None)
    rest = [word for word, (key, _, _) in zip(words, keys, strict=True) if key != "seed"]
    return Member(folder_name(words), folder_name(rest), experiment)


def state_of(folder: Path, begun: float) -> State:
    """The state of a run by the files in its folder.

    Args:
        begun: when the sweep was started (seconds since 1970): it repeats what failed before.
    """
    metrics = _read(folder / "metrics.json")
    if metrics:  # a damaged file is not counted, its run is done again
        training, test = (_number(metrics, f"{part}_seconds") for part in ("fit", "test"))
        return State(True, False, 1.0, training, test=test)
    same = _read(folder / SAME)
    if same is not None and (folder.parent / str(same.get("name")) / "metrics.json").exists():
        return State(True, False, 1.0, None)
    if (folder / ERROR).exists() and (folder / ERROR).stat().st_mtime >= begun:
        return FAILED
    # the name of callbacks.epoch_file.FILE, whose module loads Lightning
    epoch = _read(folder / ".epoch.json") or {}
    done, epochs, seconds = (_number(epoch, name) for name in ("epoch", "epochs", "seconds"))
    if not done or not epochs or seconds is None:
        return State(False, False, 0.0, None)
    text = f"epoch {done:.0f} of {epochs:.0f}"
    return State(False, False, min(1.0, done / epochs), epochs * seconds, text)


def _read(path: Path) -> dict[str, Any] | None:
    """None where there is no such file; empty if it is damaged."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, (int, float)) else None
