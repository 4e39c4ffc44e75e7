"""Runs rmlr-train in two processes that need not import anything: all are forks of this one.

Reads a line of JSON for each run, [folder, arguments], and prints one, [status, standard error].
The first process of a run is a fork of this one. Lightning starts the second one, with the command
and the environment of the user's; it is a child of the first one, forked before that began to run.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import NamedTuple

import transformers.models.rt_detr_v2.modeling_rt_detr_v2  # noqa: F401
from pytorch_lightning.strategies.launchers import subprocess_script
from pytorch_lightning.utilities.rank_zero import rank_zero_only

import rmlr_lightning.data.datamodule
import rmlr_lightning.detectors.transformers
import rmlr_lightning.runs.training
import rmlr_lightning.tasks.hoi  # noqa: F401
from rmlr_lightning.cli import train


class Spare(NamedTuple):
    """A process that waits for what it shall run."""

    pid: int
    order: int  # descriptor: takes the environment, the folder and the arguments


def fork_spare() -> Spare:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        with open(reading, encoding="utf-8") as file:
            text = file.read()
        if not text:  # the first process ended before it began to train
            os._exit(0)
        environment, folder, arguments = json.loads(text)
        os.environ.clear()
        os.environ.update(environment)
        rank_zero_only.rank = int(environment["LOCAL_RANK"])  # otherwise set at the import
        begin(folder, arguments)
    os.close(reading)
    return Spare(pid, writing)


def begin(folder: str, arguments: list[str]) -> None:
    """Be rmlr-train in this folder, to the end of the process."""
    os.chdir(folder)
    sys.argv[1:] = arguments
    train.main()
    sys.exit()


def popen_of(spare: Spare) -> type[subprocess.Popen]:
    """A `Popen` that gives its command to the spare process instead of starting one."""

    class Woken(subprocess.Popen):
        def __init__(self, command: list[str], env: dict[str, str], cwd: str) -> None:
            self.args, self.pid, self.returncode = command, spare.pid, None
            self.stdin = self.stdout = self.stderr = None
            self._child_created, self._waitpid_lock = True, threading.Lock()
            _, option, _, *arguments = command
            assert option == "-m"
            with open(spare.order, "w", encoding="utf-8") as file:
                json.dump([env, cwd, arguments], file)

    return Woken


def run(folder: str, arguments: list[str]) -> tuple[int, str]:
    """Status of the first process and standard error of both, when both have ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        nothing = os.open(os.devnull, os.O_RDWR)
        for target, source in enumerate((nothing, nothing, writing)):
            os.dup2(source, target)
        os.close(writing)
        # those of this process are made for other files
        sys.stdin, sys.stdout, sys.stderr = (open(i, mode) for i, mode in enumerate("rww"))
        subprocess_script.subprocess = SimpleNamespace(Popen=popen_of(fork_spare()))
        begin(folder, arguments)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        errors = file.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), errors


def main() -> None:
    # Shells ignore Ctrl-C in the jobs that they start in the background, nohup ignores SIGHUP.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    while line := sys.stdin.readline():
        print(json.dumps(run(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
