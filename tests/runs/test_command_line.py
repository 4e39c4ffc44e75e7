"""Mistakes in options of console scripts are one line."""

import re
import sys

import pytest

from rmlr_lightning.cli import evaluate, extract, predict, prepare, report, score, train
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.command_line import (
    CommandLine,
    check_hydra_options,
    warn_of_repeated_keys,
)
from rmlr_lightning.runs.hydra_program import check_seeds


def error_of(capsys, *arguments: str) -> str:
    parser = CommandLine(prog="rmlr-x")
    parser.add_argument("--html")
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.fault
@pytest.mark.parametrize(
    ("typed", "mistake"),
    [
        ("--htlm", "--htlm: no such option; did you mean --html?"),
        ("--zzz=1", "--zzz: no such option"),
    ],
)
def test_an_unknown_option_gets_the_nearest_one(capsys, typed, mistake):
    expected = f"error: {mistake} (`rmlr-x --help` lists the options)\n"
    assert error_of(capsys, typed) == expected


@pytest.mark.fault
@pytest.mark.parametrize(
    ("program", "typed", "mistake"),
    [
        (report, ["--hlp"], "--hlp: no such option; did you mean --help?"),
        (report, ["--watch"], "the following arguments are required: PATH"),
        (score, ["--hlp"], "--hlp: no such option; did you mean --help?"),
        (score, ["hicodet", "--detection=x"], "--detection: no such option; did you mean --det"),
        (score, ["hicdet", "--plot"], "argument {hicodet,vcoco,compare}: invalid choice: 'hicdet'"),
        (predict, ["--hlp"], "--hlp: no such option; did you mean --help?"),
    ],
)
def test_an_unknown_option_comes_before_what_is_missing(program, typed, mistake, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(typed)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {mistake}")


@pytest.mark.fault
@pytest.mark.parametrize(
    ("program", "typed", "mistake"),
    [
        (score, ["hicodet", "--plto"], "--plto: no such option; did you mean --plot?"),
        (score, ["compare"], "the following arguments are required: --ground-truth, A, B"),
        (score, ["compare", "--plot=x"], "--plot: no such option"),  # hicodet has it
        (prepare, ["check"], "the following arguments are required: annotations"),
        (prepare, ["custom", "a", "--subjct=b"], "--subjct: no such option; did you mean --subj"),
    ],
)
def test_a_mistake_in_a_command_names_the_help_of_this_command(program, typed, mistake, capsys):
    with pytest.raises(SystemExit):
        program.main(typed)
    error = capsys.readouterr().err
    assert error.startswith(f"error: {mistake}")
    name = program.__name__.rpartition(".")[2]
    assert error.endswith(f" (`rmlr-{name} {typed[0]} --help` lists the options)\n")


@pytest.mark.fault
@pytest.mark.parametrize(
    ("program", "typed", "mistake"),
    [
        (train, "--hlep", "--hlep: no such option; did you mean --help?"),
        (train, "--form-run", "--form-run: no such option; did you mean --from-run?"),
        (train, "--zzz=1", "--zzz: no such option"),
        (train, "-z", "unrecognized arguments: -z"),
        (train, "--package", "argument --package/-p: expected one argument"),
        (evaluate, "--multirnu", "--multirnu: no such option; did you mean --multirun?"),
        (extract, "--cfgs=job", "--cfgs: no such option; did you mean --cfg?"),
    ],
)
def test_a_mistaken_option_of_a_program_with_hydra_is_one_line(
    program, typed, mistake, capsys, monkeypatch
):
    monkeypatch.setattr(sys, "argv", ["rmlr-x", "seed=1", typed])
    with pytest.raises(SystemExit) as stopped:
        program.main()
    assert stopped.value.code == 2
    output = capsys.readouterr()
    assert output.err == f"error: {mistake} (`rmlr-x --hydra-help` lists the options)\n"
    assert output.out == ""


@pytest.mark.fault
@pytest.mark.parametrize(
    ("program", "typed"),
    [
        (train, ["-m", "optim.lrr=1,2"]),
        (train, ["-m", "experiment=visual,rmlr", "seed=0,-1"]),
        (train, ["-m", "experiment=visual,rmrl", "hydra.sweep.dir=new/sweeps/first"]),
        (evaluate, []),
        (evaluate, ["checkpoint=missing.ckpt", "hydra.run.dir=new/evaluation"]),
    ],
)
def test_a_refused_command_leaves_no_folder(program, typed, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rmlr-x", *typed])
    with pytest.raises(SystemExit) as stopped:
        program.main()
    assert stopped.value.code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.fault
def test_a_refused_command_adds_nothing_to_a_folder_that_was_there(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "evaluation"
    folder.mkdir()
    (folder / "metrics.json").write_text("{}")
    typed = ["checkpoint=missing.ckpt", f"hydra.run.dir={folder}"]
    monkeypatch.setattr(sys, "argv", ["rmlr-x", *typed])
    with pytest.raises(SystemExit) as stopped:
        evaluate.main()
    assert stopped.value.code == 2
    assert [path.name for path in folder.iterdir()] == ["metrics.json"]


@pytest.mark.fault
@pytest.mark.parametrize("seed", ["x", "0,-1", "0, 1.5", str(2**32), ""])
def test_a_wrong_seed_of_a_sweep_is_refused_before_its_first_run(seed):
    wrong = re.escape(seed.split(",")[-1].strip())
    with pytest.raises(UserError, match=rf"^seed={wrong}: expected a whole number from 0 to"):
        check_seeds(["-m", "experiment=visual,rmlr", f"seed={seed}"])


@pytest.mark.parametrize("seed", ["7", "0, 1", "1_000", "range(3)", "${oc.env:TASK}"])
def test_seeds_in_the_forms_of_hydra_pass(seed):
    check_seeds(["-m", f"seed={seed}"])


@pytest.mark.parametrize(
    "typed",
    [
        ["-m", "seed=0,1"],
        ["seed=1", "--cfg", "job", "--resolve"],
        ["a=1", "--info"],
        ["~a", "+b=1"],
    ],
)
def test_options_of_hydra_pass(typed):
    check_hydra_options(typed)


def test_of_a_key_that_is_typed_twice_the_value_that_counts_is_printed(capsys):
    warn_of_repeated_keys(["optim.lr=1e-3", "-m", "seed=0,1", "++optim.lr=1e-4", "a.lr=1"])
    expected = "warning: optim.lr is given twice; the last one counts: ++optim.lr=1e-4\n"
    assert capsys.readouterr().err == expected


def test_a_process_of_another_gpu_does_not_repeat_the_warning(capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    warn_of_repeated_keys(["seed=0", "seed=1"])
    assert capsys.readouterr().err == ""
