"""Moments of a run, counted in calls: the same on a fast machine and on a busy one.

A phase is a few functions. Each time that one of them runs is an entry of its phase, and every call
of Python or C code in the main thread during an entry is a moment, such as the rename of a file.
Inside an entry of another phase, calls count for that one.
"""

import functools
import os
import random
import sys
from types import FrameType
from typing import Any, NamedTuple

from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop

from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.callbacks.curves import Curves
from rmlr_lightning.callbacks.movable_checkpoint import MovableCheckpoint
from rmlr_lightning.callbacks.prediction_panel import PredictionPanel
from rmlr_lightning.callbacks.test_record import KeepTestRecord
from rmlr_lightning.runs import training
from rmlr_lightning.tasks.hoi import HOITask

PHASES: dict[str, tuple[tuple[Any, str], ...]] = {
    "caching features": ((SceneStore, "write"),),
    "training on a batch": ((_TrainingEpochLoop, "advance"),),
    "writing a checkpoint": ((MovableCheckpoint, "_save_checkpoint"),),
    "validating": ((HOITask, "validation_step"), (HOITask, "on_validation_epoch_end")),
    "testing": ((HOITask, "test_step"), (HOITask, "on_test_epoch_end")),
    "drawing": (
        (Curves, "on_train_epoch_end"),
        (PredictionPanel, "on_validation_batch_end"),
        (PredictionPanel, "on_test_batch_end"),
    ),
    "writing results": (
        (KeepTestRecord, "on_test_end"),
        (training, "write_atomic"),  # config.yaml, metrics.json
        (training, "_print_summary"),
    ),
    "between these": ((training, "train"),),
}


class Moment(NamedTuple):
    """The call number `call` of entry number `entry`, or the end of that entry if it has fewer."""

    phase: str
    entry: int
    call: int


def draw(drawn: random.Random, phase: str, counts: dict[str, list[int]]) -> Moment:
    """Some call of some entry, given how many calls each entry of a whole run has."""
    entry = drawn.randrange(len(counts[phase]))
    return Moment(phase, entry, drawn.randint(1, max(1, counts[phase][entry])))


class Watch:
    """Counts the calls of this process, and sends it a signal at a moment.

    Args:
        signum: the signal; None for a run that nothing disturbs.
        moment: when it comes.
    """

    def __init__(self, signum: int | None = None, moment: Moment | None = None) -> None:
        self.signum, self.moment = signum, moment
        self.counts: dict[str, list[int]] = {phase: [] for phase in PHASES}
        self._open: list[tuple[str, int]] = []  # entries, the innermost one last

    def start(self) -> None:
        """Replace the functions of all phases."""
        os.register_at_fork(after_in_child=self._stop)  # loading processes are not watched
        for phase, functions in PHASES.items():
            for owner, name in functions:
                setattr(owner, name, self._watched(phase, getattr(owner, name)))

    def _watched(self, phase: str, function: Any) -> Any:
        @functools.wraps(function)
        def watched(*args: Any, **options: Any) -> Any:
            entry = (phase, len(self.counts[phase]))
            self.counts[phase].append(0)
            self._open.append(entry)
            self._count_where_wanted()
            try:
                result = function(*args, **options)
                if self._is_moment_in(entry):
                    self._send()
                return result
            finally:
                self._open.pop()
                self._count_where_wanted()

        return watched

    def _count_where_wanted(self) -> None:
        """Counting takes time: everywhere in a whole run, else only in the entry of the moment."""
        inner = self._open[-1] if self._open else None
        wanted = inner is not None and (self.signum is None or self._is_moment_in(inner))
        sys.setprofile(self._on_event if wanted else None)

    def _is_moment_in(self, entry: tuple[str, int]) -> bool:
        return self.moment is not None and self.moment[:2] == entry

    def _on_event(self, frame: FrameType, event: str, argument: Any) -> None:
        if event not in ("call", "c_call") or not self._open:
            return
        phase, entry = self._open[-1]
        self.counts[phase][entry] += 1
        if self.moment == (phase, entry, self.counts[phase][entry]):
            self._send()

    def _send(self) -> None:
        self._stop()
        os.kill(os.getpid(), self.signum)

    def _stop(self) -> None:
        self.moment = None
        sys.setprofile(None)
