"""How many runs of a sweep are finished, and how long the others will take."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import ClassVar, NamedTuple

from filelock import FileLock

from rmlr_lightning.callbacks.durations import duration
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.files import write_atomic
from rmlr_lightning.runs.sweep_life import LOCKS
from rmlr_lightning.runs.sweep_members import FAILED, LIST, Member, State, state_of

# Seconds of work. Less is no measure of the rest: where a run was killed near its end, a start of
# the sweep finishes it after minutes of loading and a second of training.
MEASURABLE = 5.0


class Look(NamedTuple):
    """A sweep at one moment."""

    finished: int
    failed: int
    under_way: tuple[str, ...]  # neither, with at least one epoch: folder and epoch of each
    left: int | None  # neither; None if their number is not known
    seconds: float | None  # of training and tests that are left, in one process
    basis: str  # what the estimate rests on
    done: float  # seconds of training and tests that are done


class Earlier(NamedTuple):
    """What runs before this sweep took."""

    # Of training per run, by experiment. The first are the nearest; the others complete them.
    seconds: Sequence[Mapping[str, float]]
    basis: str  # which runs these are
    name: str  # the experiment where the sweep names none
    test: float = 0.0  # seconds of the test of a run


NOTHING = Earlier((), "", "")


class SweepProgress:
    """Lines about a sweep, all of whose processes write into one folder.

    Args:
        folder: of the sweep.
        members: its runs; None if they are not known, as those of Optuna.
        total: the number of runs where they are not known.
        begun: when the sweep was started (seconds since 1970); now if None.
    """

    current: ClassVar["SweepProgress | None"] = None  # the sweep that this process does

    def __init__(
        self,
        folder: Path,
        members: Sequence[Member] | None,
        total: int | None = None,
        begun: float | None = None,
    ) -> None:
        self.folder, self.members = folder, members
        self.total = total if members is None else len(members)
        self.visited = 0  # runs that this process has done, or found done
        self.failed: set[str] = set()  # folders, in this process
        self.earlier = NOTHING
        self.life: FileLock | None = None  # the lock of a process that does the sweep
        self.start = time.monotonic()
        self.begun = time.time() if begun is None else begun
        first = self.look()
        self.done_at_start, self.shown = first.done, (first.finished, first.failed)
        self.is_begun = False  # something was done since
        self.measured = 0.0, 1.0  # seconds of work that were done, and of the clock for each

    def write_list(self) -> None:
        """For `read_sweep`."""
        members = None if self.members is None else [list(member) for member in self.members]
        content = {"members": members, "total": self.total, "earlier": self.earlier}
        write_atomic(self.folder / LIST, json.dumps(content).encode())

    def discard_empty(self) -> None:
        """Remove the folder of a sweep without any run, such as one whose key does not exist."""
        locks = {path.name for path in self.folder.glob(LOCKS)}
        if {path.name for path in self.folder.glob("*")} <= {LIST, "multirun.yaml", *locks}:
            shutil.rmtree(self.folder, ignore_errors=True)

    def failed_elsewhere(self, name: str) -> bool:
        """Whether a run failed in another process since this one began."""
        return name not in self.failed and self._state(name).failed

    def failed_runs(self) -> list[str]:
        """Folders of runs that failed since the sweep began, in any process."""
        names = [member.name for member in self._members()]
        return [str(self.folder / name) for name in names if self._state(name).failed]

    def first_line(self, earlier: Callable[[], Earlier] = lambda: NOTHING) -> str:
        """Before the first run, with an estimate of the time.

        Args:
            earlier: finds what other runs took.
        """
        look = self.look()
        if look.left:
            self.earlier = earlier()
            self.write_list()
            look = self.look()
        if look.left and look.seconds is None:
            return f"{self._counts(look)}; the time is estimated after the first epoch"
        return self._alone(look)

    def next_line(self) -> str | None:
        """After a run; None if nothing has changed, as after a run that was skipped."""
        look = self.look()
        if (look.finished, look.failed) == self.shown:
            return None
        self.shown = look.finished, look.failed
        return self.line(look)

    def after_first_epoch(self) -> None:
        """Print an estimate, which the sweep's own runs make better later."""
        look = self.look()
        self._begin(look)
        if not look.finished and look.seconds is not None:
            print(self._alone(look), flush=True)

    def line(self, look: Look) -> str:
        """Counts and time; what other processes do meanwhile shortens the time that is left."""
        self._begin(look)
        done = look.done - self.done_at_start
        if look.seconds is None or done < MEASURABLE:
            return self._alone(look)
        # between two epochs nothing is known to take longer
        if done != self.measured[0]:
            self.measured = done, (time.monotonic() - self.start) / done
        return self._counts(look) + self._time(look, look.seconds * self.measured[1])

    def _begin(self, look: Look) -> None:
        """Start the clock with the first epoch that is seen: data are prepared before it."""
        done = look.done - self.done_at_start
        if self.is_begun or done <= 0:
            return
        self.is_begun = True
        if look.under_way and look.finished == self.shown[0]:
            self.start = max(self.start, time.monotonic() - done / len(look.under_way))

    def _alone(self, look: Look) -> str:
        return self._counts(look) + self._time(look, look.seconds, " in one process")

    def _counts(self, look: Look) -> str:
        runs = counted(look.finished if self.total is None else self.total, "run")
        line = f"sweep: {runs if self.total is None else f'{look.finished} of {runs}'} finished"
        return line + (f", {look.failed} failed" if look.failed else "")

    def _time(self, look: Look, seconds: float | None, where: str = "") -> str:
        if not seconds or not look.left:
            return ""
        return f", about {duration(seconds)} left{where} (by {look.basis})"

    def look(self) -> Look:
        """Read the files of all runs."""
        states = {member: self._state(member.name) for member in self._members()}
        finished = sum(state.finished for state in states.values())
        failed = sum(state.failed for state in states.values())
        names = _short_names([member.name for member in states])
        under_way = tuple(f"{names[m.name]}: {s.epoch}" for m, s in states.items() if s.epoch)
        test = self._test_seconds(states.values())
        expected, basis = self._expected(states)
        left, seconds = self._left(states, expected, test)
        done = sum(
            s.share * (s.seconds or 0.0) + s.finished * (s.test or 0.0) for s in states.values()
        )
        return Look(finished, failed, under_way, left, seconds, basis, done)

    def _members(self) -> Sequence[Member]:
        if self.members is not None:
            return self.members
        return [Member(p.name, p.name, None) for p in self.folder.glob("*/") if p.is_dir()]

    def _state(self, name: str) -> State:
        state = state_of(self.folder / name, self.begun)
        # such as one whose folder holds a run of another configuration
        return FAILED if name in self.failed else state

    def _left(
        self, states: Mapping[Member, State], expected: Mapping[Member, float | None], test: float
    ) -> tuple[int | None, float | None]:
        if self.total is None:
            return None, None
        if self.members is None:  # a search; one process does its runs
            left, known = self.total - self.visited, [s for s in expected.values() if s is not None]
            return left, left * (fmean(known) + test) if known else None
        open_ = {m: s for m, s in states.items() if not s.finished and not s.failed}
        times = [(1 - state.share) * (expected[m] or 0.0) + test for m, state in open_.items()]
        is_known = all(expected[member] is not None for member in open_)
        return len(open_), sum(times) if is_known else None

    def _test_seconds(self, states: Iterable[State]) -> float:
        """Of a run of this sweep, else of an earlier one."""
        tests = [state.test for state in states if state.test is not None]
        return fmean(tests) if tests else self.earlier.test

    def _expected(self, states: Mapping[Member, State]) -> tuple[dict[Member, float | None], str]:
        """Seconds of training: by the row, by earlier runs, else the slowest row or their mean.

        Earlier runs are taken as long as they would be here, by the rows that have both. A sweep
        has its simplest rows first, so that a mean would tell too little time for the others.
        """
        finished, begun = (_row_seconds(states, is_finished) for is_finished in (True, False))
        times = begun | finished
        known, others = dict(times), max(times.values(), default=0.0)
        names = {member.row: member.experiment or self.earlier.name for member in states}
        for seconds in self.earlier.seconds:
            earlier = {row: seconds[name] for row, name in names.items() if seconds.get(name)}
            factor = ratio(known, earlier)
            known = {row: factor * value for row, value in earlier.items()} | known
            others = max(others, factor * fmean(seconds.values()))
        expected = {member: known.get(member.row) or others or None for member in states}
        if not times:
            return expected, self.earlier.basis
        basis = "the runs that finished" if finished else "the first epochs"
        rows = {member.row for member in states}
        if self.members is not None and len(times) < len(rows):
            basis += f", {len(times)} of {counted(len(rows), 'row')}"
        return expected, basis


def ratio(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """The sum of `a` by that of `b`, over the keys that both have; 1 without any."""
    both = [key for key in a if b.get(key)]
    return sum(a[key] for key in both) / sum(b[key] for key in both) if both else 1.0


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of folders without the options that all of them have."""
    parts = [name.split(",") for name in names]
    common = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
    short = [",".join(part for part in one if part not in common) for one in parts]
    return {name: one or name for name, one in zip(names, short, strict=True)}


def _row_seconds(states: Mapping[Member, State], is_finished: bool) -> dict[str, float]:
    """The mean time of each row's runs, of those that are finished or of the others."""
    seconds: dict[str, list[float]] = {}
    for member, state in states.items():
        if state.seconds is not None and state.finished is is_finished:
            seconds.setdefault(member.row, []).append(state.seconds)
    return {row: fmean(values) for row, values in seconds.items()}


def read_sweep(folder: Path) -> SweepProgress:
    """The sweep that was started in a folder.

    Raises:
        UserError: there is none.
    """
    try:
        content = json.loads((folder / LIST).read_text(encoding="utf-8"))
        members = content["members"]
        members = members and [Member(*member) for member in members]
        begun = (folder / LIST).stat().st_mtime
        progress = SweepProgress(folder, members, content["total"], begun)
        progress.earlier = Earlier(*content["earlier"])
        return progress
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{folder}: no sweep was started here; give the folder of one, such as "
            "multirun/ablation"
        ) from None
