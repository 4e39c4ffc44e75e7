"""How many runs of a sweep are finished, and how long the others will take."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from rmlr_lightning.errors import counted


def number_of_runs(params: Mapping[str, str], arguments: Sequence[str]) -> int | None:
    """The number of combinations that Hydra's own sweeper runs; None if they cannot be counted.

    Args:
        params: `hydra.sweeper.params`.
        arguments: the command line.
    """
    typed = [argument for argument in arguments if not argument.startswith("-")]
    defaults = [f"{key}={value}" for key, value in (params or {}).items()]
    try:
        overrides = OverridesParser.create().parse_overrides([*defaults, *typed])
        # of two values of a key the last one counts
        choices = {override.get_key_element(): override for override in overrides}
        return math.prod(
            len(list(override.sweep_string_iterator()))
            for override in choices.values()
            if override.is_sweep_override()
        )
    except (HydraException, AssertionError):  # such as a glob, or a range of another sweeper
        return None


class SweepProgress:
    """Lines about a sweep, all of whose processes write into one folder.

    Args:
        folder: of the sweep.
        total: number of runs; None if it is not known.
    """

    def __init__(self, folder: Path, total: int | None) -> None:
        self.folder, self.total = folder, total
        self.start = time.monotonic()
        self.at_start = self.finished = self._count()

    def first_line(self) -> str:
        """Before the first run, with the time that earlier runs took."""
        line = f"sweep: {self._of_total()} finished"
        seconds = [value for value in map(_fit_seconds, self._results()) if value is not None]
        if seconds and self.total is not None:
            line += self._left(sum(seconds) / len(seconds))
        return line

    def next_line(self) -> str | None:
        """After a run; None if no further one is finished, as after a run that was skipped."""
        count = self._count()
        if count == self.finished:
            return None
        self.finished = count
        # runs that other processes finished meanwhile shorten the time that is left
        return f"sweep: {self._of_total()} finished" + self._left(
            (time.monotonic() - self.start) / (count - self.at_start)
        )

    def _of_total(self) -> str:
        if self.total is None:
            return counted(self.finished, "run")
        return f"{self.finished} of {counted(self.total, 'run')}"

    def _left(self, seconds_per_run: float) -> str:
        # imported here: it loads Lightning, which a mistake on the command line must not wait for
        from rmlr_lightning.callbacks.epoch_table import duration

        if self.total is None or self.finished >= self.total:
            return ""
        return f", about {duration(seconds_per_run * (self.total - self.finished))} left"

    def _results(self) -> list[Path]:
        return list(self.folder.glob("*/metrics.json"))

    def _count(self) -> int:
        return len(self._results())


def _fit_seconds(path: Path) -> float | None:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["fit_seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
