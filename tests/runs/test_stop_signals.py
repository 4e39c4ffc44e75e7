"""Ctrl-C and SIGTERM end a console script with one line and the shell's exit status."""

import os
import signal
import threading

import pytest

from rmlr_lightning.runs.stop_signals import Stopped, stop_on_signals
from rmlr_lightning.runs.user_errors import one_line_errors

pytestmark = pytest.mark.fault


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_is_one_line_and_its_status(signum, status, capsys):
    with pytest.raises(SystemExit) as caught, one_line_errors():
        os.kill(os.getpid(), signum)
        pytest.fail("the signal was lost")
    assert caught.value.code == status
    assert capsys.readouterr().err == f"stopped by {signum.name}\n"


def test_the_line_has_the_way_to_resume(capsys):
    with pytest.raises(SystemExit), one_line_errors():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped as stopped:
            stopped.way_out = "resume with: a command"
            raise
    assert capsys.readouterr().err == "stopped by SIGTERM; resume with: a command\n"


def test_a_clean_up_that_fails_does_not_hide_the_signal(capsys):
    """Lightning's does, if the signal comes while it starts an epoch."""
    with pytest.raises(SystemExit) as caught, one_line_errors():
        try:
            signal.raise_signal(signal.SIGINT)
        except Stopped:
            raise RuntimeError("Please call iter first") from None
    assert caught.value.code == 130
    assert capsys.readouterr().err == "stopped by SIGINT\n"


def test_libraries_do_not_catch_it():
    """Lightning turns KeyboardInterrupt into exit status 1, Hydra catches every Exception."""
    assert not issubclass(Stopped, (Exception, KeyboardInterrupt, SystemExit))


def test_handlers_are_restored():
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with stop_on_signals():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


def test_what_the_parent_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_on_signals():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_left_alone():
    done = []

    def work():
        with one_line_errors():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
