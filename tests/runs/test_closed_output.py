"""Output that cannot be written, or that nobody reads: one line, never a traceback."""

import os
import sys

import pytest
from rich.console import Console

from rmlr_lightning.runs.user_errors import one_line_errors

pytestmark = pytest.mark.fault
PRINTS = {
    "print": lambda: [print("line") for _ in range(100_000)],  # more than a pipe holds
    "rich": lambda: Console().print("line"),
    "last line": lambda: print("line"),  # written when the program ends
}


def error_of(prints, output, monkeypatch, capsys):
    """Exit status and standard error of a program that prints to this file."""
    with monkeypatch.context() as patch, output:
        patch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as caught, one_line_errors():
            PRINTS[prints]()
        output.flush()  # as the interpreter does
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize("prints", PRINTS)
def test_a_reader_that_ends_is_one_line(prints, monkeypatch, capsys):
    """As in `rmlr-train | head`."""
    reading, writing = os.pipe()
    os.close(reading)
    line = "error: the program that read the output, such as `head`, has ended\n"
    assert error_of(prints, os.fdopen(writing, "w"), monkeypatch, capsys) == (2, line)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("prints", PRINTS)
def test_a_full_disk_behind_the_output_is_one_line(prints, monkeypatch, capsys):
    """As in `rmlr-train > log.txt`."""
    line = "error: the disk is full; make room\n"
    assert error_of(prints, open("/dev/full", "w"), monkeypatch, capsys) == (2, line)


def test_an_output_that_the_shell_has_closed_is_none(monkeypatch):
    """As in `rmlr-train >&-`."""
    monkeypatch.setattr(sys, "stdout", None)
    with one_line_errors():
        print("line")
