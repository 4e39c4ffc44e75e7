"""What a sweep begins and ends with: the list of its runs, and its report."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from rmlr_lightning.errors import counted
from rmlr_lightning.runs.sweep_life import at_work
from rmlr_lightning.runs.sweep_members import members_of
from rmlr_lightning.runs.sweep_progress import SweepProgress

BASELINE = "visual"  # of the ablations; another sweep compares with its first experiment


class SweepReport(Callback):
    """Makes report/ in the folder of a sweep when its last run has ended, in whichever process.

    Args:
        report: false leaves it out.
    """

    def __init__(self, report: bool = True) -> None:
        self.report = report

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Before the first run."""
        sweeper = config.hydra.sweeper
        members = members_of(sweeper.get("params"), config.hydra.overrides.task)
        # of Optuna a number is given, no values
        trials = sweeper.get("n_trials")
        folder = Path(config.hydra.sweep.dir)
        progress = SweepProgress(folder, None if trials else members, trials)
        with suppress(OSError, NotImplementedError):  # the first run has the error
            # before the list, which `--watch` waits for; until the process ends
            progress.life = at_work(folder)
        progress.write_list()
        SweepProgress.current = progress

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """After the last run of this process."""
        progress = SweepProgress.current
        if not self.report or progress is None:
            return
        look = progress.look()
        if look.left:
            runs = counted(look.left, "run")
            print(f"sweep: {runs} left to other processes; the last one makes the report")
        elif look.finished:
            self._make(progress, "test" if config.test else "val")

    def _make(self, progress: SweepProgress, split: str) -> None:
        folder = progress.folder
        command = [sys.executable, "-m", "rmlr_lightning.cli.report", str(folder)]
        command += ["--out", str(folder / "report"), "--overwrite", "--split", split]
        names = dict.fromkeys(member.experiment for member in progress.members or ())
        baseline = BASELINE if BASELINE in names else next(iter(names), None)
        try:
            # two processes may end at the same moment
            with FileLock(folder / ".report.lock", timeout=0):
                # it is not a row where it did not finish, or other values tell rows apart
                for option in [["--baseline", baseline]] * (len(names) > 1) + [[]]:
                    sys.stdout.flush()
                    done = subprocess.run([*command, *option], stderr=subprocess.PIPE, text=True)
                    if done.returncode == 0:
                        return
            print(f"note: no report was made: {done.stderr.strip()}", file=sys.stderr)
        except Timeout:
            pass
