"""How far a sweep is, counted by the files of its runs."""

import json
from types import SimpleNamespace

import pytest

from rmlr_lightning.runs import sweep_progress as module
from rmlr_lightning.runs.sweep_progress import SweepProgress, number_of_runs


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def finish(folder, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()
        (folder / name / "metrics.json").write_text(json.dumps({"fit_seconds": 100.0}))


def test_the_runs_of_a_sweep_are_the_combinations_of_its_values():
    params = {"seed": "0,1,2", "experiment": "visual, rmlr", "name": "a"}
    assert number_of_runs(params, ["-m", "+sweep=ablation"]) == 6
    # what is typed replaces what the file has
    assert number_of_runs(params, ["-m", "seed=7", "optim.lr=1e-3,2e-3"]) == 4
    assert number_of_runs({"seed": "range(10)"}, []) == 10
    assert number_of_runs(None, ["seed=1"]) == 1


def test_what_another_sweeper_draws_is_not_counted():
    assert number_of_runs({"optim.lr": "interval(0.1,0.2)"}, []) is None


def test_the_first_line_has_the_time_of_earlier_runs(tmp_path, clock):
    assert SweepProgress(tmp_path, 3).first_line() == "sweep: 0 of 3 runs finished"
    finish(tmp_path, "a")
    expected = "sweep: 1 of 3 runs finished, about 3:20 left"
    assert SweepProgress(tmp_path, 3).first_line() == expected


def test_runs_of_other_processes_shorten_the_time_that_is_left(tmp_path, clock):
    finish(tmp_path, "a")
    progress = SweepProgress(tmp_path, 7)
    clock.now += 60
    assert progress.next_line() is None  # a run that was skipped
    finish(tmp_path, "b", "c")
    assert progress.next_line() == "sweep: 3 of 7 runs finished, about 2:00 left"
    finish(tmp_path, "d", "e", "f", "g")
    assert progress.next_line() == "sweep: 7 of 7 runs finished"


def test_a_total_that_is_not_known_is_left_out(tmp_path, clock):
    progress = SweepProgress(tmp_path, None)
    finish(tmp_path, "a")
    assert progress.next_line() == "sweep: 1 run finished"
