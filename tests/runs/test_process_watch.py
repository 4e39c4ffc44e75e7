"""The first of two processes ends by itself, or is ended with one line."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver

from rmlr_lightning.runs import process_watch
from rmlr_lightning.runs.process_watch import ProcessWatch

pytestmark = pytest.mark.fault


@pytest.fixture
def ended():
    """A process that has ended with an error."""
    with subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(1)"]) as process:
        process.wait()
        yield process


@pytest.fixture
def quit_with(monkeypatch) -> list[int]:
    """The statuses with which a thread has ended this process."""
    statuses: list[int] = []
    monkeypatch.setattr("os._exit", statuses.append)
    return statuses


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "process-watch"]


def test_a_process_that_does_not_notice_the_end_of_another_is_ended_with_one_line(
    ended, quit_with, monkeypatch, capsys
):
    monkeypatch.setattr(process_watch, "SECONDS", 0)
    trainer = SimpleNamespace(strategy=SimpleNamespace(launcher=SimpleNamespace(procs=[ended])))
    ProcessWatch().setup(trainer, None, "fit")
    for thread in threads():
        thread.join(60)
    assert quit_with == [2]
    error = capsys.readouterr().err
    assert error.startswith("error: another process of this run ended without a message")
    assert error.count("\n") == 1


def test_lightning_leaves_the_first_process_alone(ended, monkeypatch):
    """It would kill it at once, perhaps before its line is printed."""
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda number, signum: killed.append(number))
    monkeypatch.setattr(process_watch, "watch", lambda processes: None)
    processes = [ended]
    observer = _ChildProcessObserver(main_pid=1, child_processes=processes)
    launcher = SimpleNamespace(procs=processes)
    trainer = SimpleNamespace(strategy=SimpleNamespace(launcher=launcher))
    ProcessWatch().setup(trainer, None, "fit")
    assert observer._run() and killed == []


def test_a_run_of_one_process_watches_none():
    trainer = SimpleNamespace(strategy=SimpleNamespace(launcher=None))
    ProcessWatch().setup(trainer, None, "fit")
    assert threads() == []
