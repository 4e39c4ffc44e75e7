"""Mistakes in options of console scripts without Hydra are one line."""

import pytest

from rmlr_lightning.runs.command_line import CommandLine


def error_of(capsys, *arguments: str) -> str:
    parser = CommandLine(prog="rmlr-x")
    parser.add_argument("--html")
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.fault
@pytest.mark.parametrize(("typed", "hint"), [("--htlm", "; did you mean --html?"), ("--zzz=1", "")])
def test_an_unknown_option_gets_the_nearest_one(capsys, typed, hint):
    expected = f"error: unrecognized arguments: {typed}{hint} (`rmlr-x --help` lists the options)"
    assert error_of(capsys, typed) == f"{expected}\n"
