"""The first of several processes ends with a line of its own if another one has ended."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from pytorch_lightning import Callback, LightningModule, Trainer

from rmlr_lightning.runs.processes import OTHER_ENDED, prints_error

SECONDS = 30  # to notice by itself that another process has ended, and to end


class ProcessWatch(Callback):
    """Watches the processes that Lightning has started, in place of Lightning.

    Lightning looks for processes that have ended with an error every five seconds, and kills this
    one in the same moment, perhaps while it prints its line. Here it has time for that. NCCL may
    wait for minutes for a process that was killed: after that time it is ended, with the line.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        started = getattr(trainer.strategy.launcher, "procs", None)
        if started:
            watched = list(started)
            started.clear()  # Lightning's thread reads this list, and ends when it is empty
            thread = threading.Thread(
                target=watch, args=(watched,), name="process-watch", daemon=True
            )
            thread.start()


def watch(processes: Sequence[subprocess.Popen]) -> None:
    """End this process some time after one of these has ended with an error."""
    while not any(process.poll() for process in processes):
        time.sleep(1)
    time.sleep(SECONDS)
    if prints_error(RuntimeError(OTHER_ENDED)):
        print(f"error: {OTHER_ENDED}", file=sys.stderr, flush=True)
    os._exit(2)
