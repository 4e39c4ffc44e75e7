"""A sweep ends with its report, which the last of its processes makes."""

import csv
import json
import platform
import statistics
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs import sweep_report as module
from rmlr_lightning.runs import sweep_watch
from rmlr_lightning.runs.earlier_runs import earlier_runs
from rmlr_lightning.runs.sweep_life import at_work, is_alive
from rmlr_lightning.runs.sweep_progress import NOTHING, Earlier, SweepProgress
from rmlr_lightning.runs.sweep_report import SweepReport
from rmlr_lightning.runs.sweep_watch import watch

ROOT = Path(__file__).parents[2]
PUBLISHED = Path(module.__file__).with_name("ablation_seconds.json")


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Starts a sweep; `calls` are the options that its report was made with."""
    made = SimpleNamespace(calls=[], statuses=[0, 0])

    def run(command, **_):
        made.calls.append(command[command.index("--split") :])
        return SimpleNamespace(returncode=made.statuses.pop(0), stderr="no row\n")

    def start(*words: str, test: bool = True, report: bool = True):
        hydra = {"sweep": {"dir": str(tmp_path)}, "sweeper": {"params": None}}
        hydra["overrides"] = {"task": list(words)}
        made.config = OmegaConf.create({"hydra": hydra, "test": test})
        made.callback = SweepReport(report)
        made.callback.on_multirun_start(made.config)
        return made

    monkeypatch.setattr(module.subprocess, "run", run)
    made.start = start
    yield made
    SweepProgress.current = None


def finish(folder, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()
        (folder / name / "metrics.json").write_text('{"fit_seconds": 1}')


def test_the_last_process_makes_the_report(sweep, tmp_path, capsys):
    sweep.start("seed=0,1", test=False)
    finish(tmp_path, "seed=0")
    sweep.callback.on_multirun_end(sweep.config)
    assert "1 run left to other processes; the last one makes the report" in capsys.readouterr().out
    assert not sweep.calls
    finish(tmp_path, "seed=1")
    sweep.callback.on_multirun_end(sweep.config)
    assert sweep.calls == [["--split", "val"]]


@pytest.mark.parametrize(
    ("experiments", "baseline"), [("upt,visual,rmlr", "visual"), ("rmlr,random", "rmlr")]
)
def test_rows_are_compared_with_the_one_without_language_or_the_first(
    experiments, baseline, sweep, tmp_path
):
    sweep.start(f"experiment={experiments}")
    finish(tmp_path, *(f"experiment={name}" for name in experiments.split(",")))
    sweep.callback.on_multirun_end(sweep.config)
    assert sweep.calls == [["--split", "test", "--baseline", baseline]]


@pytest.mark.fault
def test_without_the_baseline_a_report_compares_nothing(sweep, tmp_path):
    """The run of the baseline failed."""
    sweep.start("experiment=visual,rmlr")
    finish(tmp_path, "experiment=rmlr")
    SweepProgress.current.failed.add("experiment=visual")
    sweep.statuses = [2, 0]
    sweep.callback.on_multirun_end(sweep.config)
    assert [len(call) for call in sweep.calls] == [4, 2]


@pytest.mark.fault
def test_a_report_that_cannot_be_made_is_a_note(sweep, tmp_path, capsys):
    sweep.start("seed=0")
    finish(tmp_path, "seed=0")
    sweep.statuses = [2]
    sweep.callback.on_multirun_end(sweep.config)
    assert capsys.readouterr().err == "note: no report was made: no row\n"


def test_a_report_can_be_left_out(sweep, tmp_path):
    sweep.start("seed=0", report=False)
    finish(tmp_path, "seed=0")
    sweep.callback.on_multirun_end(sweep.config)
    assert not sweep.calls


def test_a_watched_sweep_has_one_line_until_it_ends(sweep, tmp_path, capsys):
    sweep.start("seed=0,1")
    finish(tmp_path, "seed=0", "seed=1")
    watch(tmp_path)
    assert capsys.readouterr().out == "sweep: 2 of 2 runs finished\n"


def test_the_estimate_is_shown_when_a_job_has_made_it(sweep, tmp_path, capsys, monkeypatch):
    sweep.start("seed=0,1")
    steps = [
        lambda: SweepProgress.current.first_line(lambda: Earlier([{"a": 8.0}], "runs", "a")),
        lambda: finish(tmp_path, "seed=0", "seed=1"),
    ]
    wait = SimpleNamespace(sleep=lambda _: steps.pop(0)(), monotonic=lambda: 0.0)
    monkeypatch.setattr(sweep_watch, "time", wait)
    watch(tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "sweep: 0 of 2 runs finished",
        "sweep: 0 of 2 runs finished, about 0:16 left in one process (by runs)",
        "sweep: 2 of 2 runs finished",
    ]


def test_on_a_terminal_it_also_has_the_epoch_of_each_run(sweep, tmp_path, capsys, monkeypatch):
    sweep.start("seed=0,1")
    finish(tmp_path, "seed=0")
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "seed=1").mkdir()
    (tmp_path / "seed=1" / ".epoch.json").write_text('{"epoch": 2, "epochs": 4, "seconds": 3}')
    wait = SimpleNamespace(
        sleep=lambda _: (tmp_path / "seed=1" / "metrics.json").write_text('{"fit_seconds": 1}'),
        monotonic=lambda: 0.0,
    )
    monkeypatch.setattr(sweep_watch, "time", wait)
    monkeypatch.setattr(sweep_watch.sys.stdout, "isatty", lambda: True, raising=False)
    watch(tmp_path)
    first, second = capsys.readouterr().out.split("\x1b[2A\r\x1b[J")  # up two lines, and clear
    line, run = first.removeprefix("\r\x1b[J").splitlines()
    assert line.startswith("sweep: 1 of 2 runs finished") and run == "seed=1: epoch 2 of 4"
    assert second == "sweep: 2 of 2 runs finished\n"


@pytest.mark.fault
def test_a_folder_without_a_sweep_is_watched_for_a_minute(tmp_path, capsys, monkeypatch):
    clock = iter((0.0, 2.0, 61.0))
    wait = SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(clock))
    monkeypatch.setattr(sweep_watch, "time", wait)
    with pytest.raises(UserError, match="no sweep was started here"):
        watch(tmp_path)
    assert capsys.readouterr().err == f"{tmp_path}: no sweep yet; waits a minute for one to start\n"


@pytest.mark.fault
def test_a_sweep_without_a_living_process_has_stopped(sweep, tmp_path, capsys, monkeypatch):
    sweep.start("seed=0,1")
    (tmp_path / "seed=0").mkdir()
    (tmp_path / "seed=0" / ".epoch.json").write_text('{"epoch": 2, "epochs": 4, "seconds": 3}')
    steps = [lambda: None, lambda: SweepProgress.current.life.release()]
    steps += [lambda: None] * (sweep_watch.ABSENCE - 1)  # one more look is an error
    wait = SimpleNamespace(sleep=lambda _: steps.pop(0)(), monotonic=lambda: 0.0)
    monkeypatch.setattr(sweep_watch, "time", wait)
    watch(tmp_path)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.endswith("; 1 run under way") and "under way" not in second
    assert last == "stopped: no process does this sweep any more; the same command resumes it"


def test_of_several_processes_one_that_lives_is_enough(tmp_path):
    first, second = at_work(tmp_path), at_work(tmp_path)
    first.release()
    assert is_alive(tmp_path)
    second.release()
    assert not is_alive(tmp_path)


def test_a_line_that_is_too_long_lacks_its_middle():
    line = sweep_watch._within(f"experiment={'x' * 90}: epoch 2 of 4", 40)
    assert len(line) == 40
    assert line.startswith("experiment=xxx") and line.endswith("xx: epoch 2 of 4")


CONFIG = {
    "name": "rmlr",
    "data": {"batch_size": 8},
    "trainer": {"max_epochs": 4, "devices": 1},
    "paths": {"output": "o", "data": "d"},
    "test": True,
}


@pytest.fixture
def earlier(tmp_path):
    """Writes a finished run of 40 seconds, and 6 of its test, into another sweep."""

    def write(name: str, machine: str = platform.platform(), **changed) -> None:
        folder = tmp_path / "other" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "name": name, **changed}))
        (folder / "metrics.json").write_text('{"fit_seconds": 40, "test_seconds": 6}')
        (folder / "environment.json").write_text(json.dumps({"machine": machine}))

    return write


def test_earlier_runs_on_the_same_data_tell_the_time_per_epoch(earlier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = OmegaConf.create({**CONFIG, "trainer": {"max_epochs": 2, "devices": 1}})
    assert earlier_runs(cfg, tmp_path / "sweep") == NOTHING
    earlier("rmlr")
    earlier("upt", trainer={"max_epochs": 1, "devices": 1})
    found = earlier_runs(cfg, tmp_path / "sweep")
    assert found == ([{"rmlr": 20.0, "upt": 80.0}], "earlier runs with these data", "rmlr", 6.0)
    cfg.test = False
    assert earlier_runs(cfg, tmp_path / "sweep").test == 0


def test_the_published_rows_follow_those_of_this_machine(earlier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    earlier("rmlr", data=DRAWN)
    found = earlier_runs(OmegaConf.create({**CONFIG, "data": DRAWN}), tmp_path / "sweep")
    assert found.seconds[0] == {"rmlr": 40.0}
    assert found.seconds[1]["upt"] == pytest.approx(40 * 241 / 124)  # CPU seconds of RESULTS.md


DRAWN = {"batch_size": 8, "prepare": {"config": {"train": 500}}}  # half of the images of RESULTS.md


@pytest.mark.parametrize(("name", "seconds"), [("rmlr", 0.5 * 0.5 * 124), ("detector", None)])
def test_else_the_published_rows_tell_the_time_on_drawings(name, seconds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = OmegaConf.create({**CONFIG, "name": name, "data": DRAWN})
    found = earlier_runs(cfg, tmp_path / "sweep")
    if seconds is None:
        assert found == NOTHING
    else:
        assert found.seconds[0][name] == seconds and found.basis == "runs on another machine"


def test_the_published_times_are_those_of_the_results_page():
    with (ROOT / "docs" / "results" / "ablation_runs.csv").open(encoding="utf-8") as file:
        runs = list(csv.DictReader(file))
    rows = {run["row"] for run in runs}
    seconds = {r: [float(run["cpu_seconds"]) for run in runs if run["row"] == r] for r in rows}
    expected = {row: round(statistics.median(values)) for row, values in seconds.items()}
    assert json.loads(PUBLISHED.read_text("utf-8")) == {
        "images": 1000,
        "epochs": 8,
        "seconds": expected,
    }


@pytest.mark.fault
@pytest.mark.parametrize(
    "other",
    [{"data": {"batch_size": 2}}, {"trainer": {"max_epochs": 4, "devices": 8}}, {"machine": "m"}]
    + [{"trainer": 1}, {"paths": None}, {"trainer": {"max_epochs": 0, "devices": 1}}],
)
def test_other_data_machines_and_damaged_files_do_not(other, earlier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    earlier("rmlr", **other)
    assert earlier_runs(OmegaConf.create(CONFIG), tmp_path / "sweep") == NOTHING
