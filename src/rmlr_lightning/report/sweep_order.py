"""The order of a sweep's runs: that of the values it was started with, not of the alphabet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

FILE = "multirun.yaml"  # Hydra writes it into the folder of a sweep

Values = dict[str, list[str]]  # of each option that is swept, in their order


def swept_values(sweep: Path) -> Values:
    """Empty without a readable file of that name: the order is all that depends on it."""
    try:
        read: Any = yaml.safe_load((sweep / FILE).read_text(encoding="utf-8"))
        hydra = read["hydra"]
        params = hydra["sweeper"].get("params") or {}
        typed = [line.lstrip("+").partition("=")[::2] for line in hydra["overrides"]["task"]]
        # What was typed replaces what the file of the sweep has.
        swept = {str(key).lstrip("+"): value for key, value in params.items()} | dict(typed)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    except yaml.YAMLError:
        return {}
    return {
        key: [part.strip() for part in value.split(",")]
        for key, value in swept.items()
        if isinstance(value, str) and "," in value and key != "seed"
    }


def place_in_sweep(overrides: Sequence[str], values: Mapping[str, Sequence[str]]) -> list[int]:
    """For sorting: the place of a run's value of each option; unknown values come last."""
    own = dict(line.lstrip("+").partition("=")[::2] for line in overrides)
    return [
        names.index(own[key]) if own.get(key) in names else len(names)
        for key, names in values.items()
    ]
