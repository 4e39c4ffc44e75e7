"""How far a sweep is and how long it takes, by the files of its runs."""

import json
import os
from types import SimpleNamespace

import pytest

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs import sweep_progress as module
from rmlr_lightning.runs.sweep_members import ERROR, SAME, members_of
from rmlr_lightning.runs.sweep_progress import Earlier, SweepProgress, read_sweep

FOUR = ["experiment=visual,rmlr", "seed=0,1"]
BY_RUNS = "(by the runs that finished)"


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    watch = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: 1000.0 + clock.now)
    monkeypatch.setattr(module, "time", watch)
    return clock


def earlier(*seconds: dict[str, float], test: float = 0.0):
    return lambda: Earlier(seconds, "runs of yesterday", "rmlr", test)


def progress_of(folder, *words: str) -> SweepProgress:
    return SweepProgress(folder, members_of({}, words))


def finish(folder, *names: str, seconds: float = 100.0) -> None:
    for name in names:
        write(folder, name, "metrics.json", fit_seconds=seconds)


def write(folder, run: str, file: str, **content) -> None:
    (folder / run).mkdir(exist_ok=True)
    (folder / run / file).write_text(json.dumps(content))


def test_the_runs_of_a_sweep_are_the_combinations_of_its_values():
    params = {"seed": "0,1,2", "experiment": "visual, rmlr", "name": "a"}
    names = [member.name for member in members_of(params, ["+sweep=ablation", "~logger"])]
    assert names[:2] == ["experiment=visual,seed=0", "experiment=rmlr,seed=0"] and len(names) == 6
    # what is typed replaces what the file has
    (first, *others) = members_of(params, ["seed=7", "++trainer.max_time=1,2"])
    assert first == ("experiment=visual,seed=7,trainer.max_time=1", *first[1:])
    assert first.row == "experiment=visual,trainer.max_time=1" and len(others) == 3
    assert len(members_of({"seed": "range(10)"}, [])) == 10
    assert [member.name for member in members_of(None, ["seed=1"])] == ["seed=1"]


def test_two_ways_to_type_a_value_are_one_run():
    assert len(members_of({}, ["optim.lr=0.002,2e-3,2.0e-3"])) == 1


def test_what_another_sweeper_draws_is_not_counted():
    assert members_of({"optim.lr": "interval(0.1,0.2)"}, []) is None


def test_the_first_line_has_the_time_that_each_row_took(tmp_path, clock):
    finish(tmp_path, "experiment=visual,seed=0", seconds=20)
    finish(tmp_path, "experiment=rmlr,seed=0", seconds=100)
    assert progress_of(tmp_path, *FOUR).first_line() == (
        f"sweep: 2 of 4 runs finished, about 2:00 left in one process {BY_RUNS}"
    )


def test_without_finished_runs_earlier_sweeps_tell_the_time(tmp_path, clock):
    progress = progress_of(tmp_path, *FOUR)
    assert progress.first_line(earlier({"rmlr": 60.0, "visual": 30.0})) == (
        "sweep: 0 of 4 runs finished, about 3:00 left in one process (by runs of yesterday)"
    )
    finish(tmp_path, "experiment=visual,seed=0", "experiment=rmlr,seed=0")
    assert progress.look().seconds == 100 + 100  # the sweep's own runs are better


def test_a_row_that_no_earlier_sweep_has_takes_as_long_as_the_others(tmp_path, clock):
    progress = progress_of(tmp_path, "experiment=visual,new")
    progress.first_line(earlier({"rmlr": 60.0, "visual": 30.0}))
    assert progress.look().seconds == 30 + 45


def test_published_rows_complete_the_earlier_ones(tmp_path, clock):
    """As after `make train`: RmLR took half of the time that it took on another machine."""
    progress = progress_of(tmp_path, "experiment=tokens,upt,rmlr")
    progress.first_line(earlier({"rmlr": 60.0}, {"tokens": 20.0, "upt": 240.0, "rmlr": 120.0}))
    assert progress.look().seconds == 10 + 120 + 60


def test_a_cheap_row_that_is_done_first_does_not_shorten_the_dear_ones(tmp_path, clock):
    """It took a quarter of what was expected, whose share in the whole sweep is small."""
    progress = progress_of(tmp_path, "experiment=tokens,upt,rmlr")
    progress.first_line(earlier({"rmlr": 60.0}, {"tokens": 20.0, "upt": 240.0, "rmlr": 120.0}))
    finish(tmp_path, "experiment=tokens", seconds=2.5)
    assert 60 + 100 < progress.look().seconds < 60 + 120
    # nor where a sweep is started again, which has finished runs then
    again = progress_of(tmp_path, "experiment=tokens,upt,rmlr")
    again.first_line(earlier({"rmlr": 60.0, "tokens": 2.5}, {"upt": 240.0, "rmlr": 120.0}))
    assert again.look().seconds == 60 + 120


def test_the_test_of_each_run_takes_time_too(tmp_path, clock):
    progress = progress_of(tmp_path, "seed=range(3)")
    progress.first_line(earlier({"rmlr": 60.0}, test=10.0))
    assert progress.look().seconds == 3 * 70
    write(tmp_path, "seed=0", "metrics.json", fit_seconds=60.0, test_seconds=20.0)
    write(tmp_path, "seed=1", ".epoch.json", epoch=4, epochs=4, seconds=15.0)
    assert progress.look().seconds == 20 + 80  # seed 1 is being tested
    clock.now += 140  # of 60 + 20 + 60 seconds of work
    assert "about 1:40 left (by" in progress.line(progress.look())


def test_else_the_first_epoch_does(tmp_path, clock, capsys):
    progress = progress_of(tmp_path, *FOUR)
    expected = "sweep: 0 of 4 runs finished; the time is estimated after the first epoch"
    assert progress.first_line() == expected
    write(tmp_path, "experiment=visual,seed=0", ".epoch.json", epoch=1, epochs=4, seconds=15.0)
    progress.after_first_epoch()
    assert capsys.readouterr().out == (
        "sweep: 0 of 4 runs finished, about 3:45 left in one process "
        "(by the first epochs, 1 of 2 rows)\n"
    )


def test_a_row_without_a_time_takes_as_long_as_the_slowest(tmp_path, clock):
    """Of four rows one is finished, and one has an epoch of four; the simplest rows come first."""
    progress = progress_of(tmp_path, "experiment=upt,visual,word,rmlr")
    finish(tmp_path, "experiment=upt", seconds=20)
    write(tmp_path, "experiment=visual", ".epoch.json", epoch=1, epochs=4, seconds=10.0)
    look = progress.look()
    assert look.seconds == 30 + 40 + 40 and look.basis.endswith("that finished, 2 of 4 rows")


def test_earlier_runs_tell_how_much_longer_the_rows_that_are_not_begun_take(tmp_path, clock):
    """Each run takes twice as long as in the earlier sweep, which was on another machine."""
    progress = progress_of(tmp_path, "experiment=visual,rmlr,large")
    progress.first_line(earlier({"visual": 10.0, "rmlr": 40.0, "large": 70.0}))
    finish(tmp_path, "experiment=visual", seconds=20)
    write(tmp_path, "experiment=rmlr", ".epoch.json", epoch=1, epochs=4, seconds=20.0)
    assert progress.look().seconds == 60 + 140


def test_options_that_all_runs_have_are_no_part_of_their_names(tmp_path, clock):
    progress = progress_of(tmp_path, "experiment=visual,rmlr", "data.batch_size=8")
    name = "data.batch_size=8,experiment=rmlr"
    write(tmp_path, name, ".epoch.json", epoch=1, epochs=4, seconds=10.0)
    assert progress.look().under_way == ("experiment=rmlr: epoch 1 of 4",)


def test_the_time_that_is_left_does_not_grow_between_two_epochs(tmp_path, clock):
    progress = progress_of(tmp_path, "seed=0,1")
    write(tmp_path, "seed=0", ".epoch.json", epoch=1, epochs=4, seconds=10.0)
    clock.now += 10
    line = progress.line(progress.look())
    clock.now += 60
    assert progress.line(progress.look()) == line


def test_the_last_second_of_a_run_that_was_killed_is_no_measure_of_the_rest(tmp_path, clock):
    finish(tmp_path, "seed=0")
    write(tmp_path, "seed=1", ".epoch.json", epoch=99, epochs=100, seconds=1.0)
    progress = progress_of(tmp_path, "seed=range(4)")
    clock.now += 60  # of loading and testing, for a second of training
    finish(tmp_path, "seed=1")
    assert progress.line(progress.look()) == (
        f"sweep: 2 of 4 runs finished, about 3:20 left in one process {BY_RUNS}"
    )


def test_runs_of_other_processes_shorten_the_time_that_is_left(tmp_path, clock):
    finish(tmp_path, "seed=0")
    progress = progress_of(tmp_path, "seed=range(7)")
    clock.now += 60
    assert progress.next_line() is None  # a run that was skipped
    finish(tmp_path, "seed=1", "seed=2")
    assert progress.next_line() == f"sweep: 3 of 7 runs finished, about 2:00 left {BY_RUNS}"
    finish(tmp_path, "seed=3", "seed=4", "seed=5", "seed=6")
    assert progress.next_line() == "sweep: 7 of 7 runs finished"


def test_the_time_in_which_data_are_prepared_is_no_measure_of_the_rest(tmp_path, clock):
    """Two processes prepare data for an hour; then an epoch of 10 s ends in each."""
    progress = progress_of(tmp_path, "seed=range(4)")
    clock.now += 3600
    for name in ("seed=0", "seed=1"):
        write(tmp_path, name, ".epoch.json", epoch=1, epochs=10, seconds=10.0)
    # 9 + 9 + 10 + 10 epochs by two processes
    line = "sweep: 0 of 4 runs finished, about 3:10 left (by the first epochs)"
    assert progress.line(progress.look()) == line
    clock.now += 100
    for name in ("seed=0", "seed=1"):
        write(tmp_path, name, ".epoch.json", epoch=10, epochs=10, seconds=10.0)
    assert "about 1:50 left" in progress.line(progress.look())  # 200 s, with breaks


@pytest.mark.fault
def test_failed_runs_are_counted_and_take_no_more_time(tmp_path, clock):
    progress = progress_of(tmp_path, "seed=range(4)")
    clock.now += 200
    finish(tmp_path, "seed=0")
    write(tmp_path, "seed=1", ERROR)
    expected = f"sweep: 1 of 4 runs finished, 1 failed, about 6:40 left {BY_RUNS}"
    assert progress.next_line() == expected
    # what another process has tried already is not tried again, but what failed at an earlier start
    assert progress.failed_elsewhere("seed=1") and not progress.failed_elsewhere("seed=2")
    os.utime(tmp_path / "seed=1" / ERROR, (900, 900))
    assert not progress.failed_elsewhere("seed=1")
    assert progress.next_line() == f"sweep: 1 of 4 runs finished, about 10:00 left {BY_RUNS}"


@pytest.mark.fault
def test_a_run_of_the_same_configuration_as_another_is_finished_with_it(tmp_path, clock):
    write(tmp_path, "seed=1", SAME, name="seed=0")
    assert "0 of 2 runs" in progress_of(tmp_path, "seed=0,1").first_line()
    finish(tmp_path, "seed=0")
    assert progress_of(tmp_path, "seed=0,1").first_line() == "sweep: 2 of 2 runs finished"


@pytest.mark.fault
@pytest.mark.parametrize(("run", "is_kept"), [(None, False), ("seed=0", True)])
def test_only_the_folder_of_a_sweep_without_runs_is_discarded(run, is_kept, tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    progress = progress_of(folder, "seed=0,1")
    progress.write_list()
    (folder / "multirun.yaml").touch()
    if run:
        (folder / run).mkdir()
    progress.discard_empty()
    assert folder.exists() == is_kept


@pytest.mark.fault
@pytest.mark.parametrize("content", ["", "[1]", '{"epoch": "x"}', '{"epoch": 1, "epochs": 0}'])
def test_a_damaged_file_gives_no_estimate_but_no_error(content, tmp_path, clock):
    (tmp_path / "seed=0").mkdir()
    (tmp_path / "seed=0" / ".epoch.json").write_text(content)
    assert progress_of(tmp_path, "seed=0,1").look().seconds is None


def test_a_search_counts_what_it_has_tried(tmp_path, clock):
    progress = SweepProgress(tmp_path, None, 4)
    finish(tmp_path, "optim.lr=0.1", "optim.lr=0.2")
    progress.visited, clock.now = 3, 400.0  # one was drawn twice
    assert progress.next_line() == f"sweep: 2 of 4 runs finished, about 3:20 left {BY_RUNS}"


def test_another_process_reads_what_the_sweep_consists_of(tmp_path, clock):
    progress = progress_of(tmp_path, *FOUR)
    progress.first_line(earlier({"rmlr": 5.0}))
    assert read_sweep(tmp_path).look() == progress.look()
    finish(tmp_path, "experiment=visual,seed=0")
    assert read_sweep(tmp_path).look() == progress.look()


@pytest.mark.fault
@pytest.mark.parametrize("content", [None, "{", "[]", '{"members": [1], "total": 1}'])
def test_a_folder_without_a_sweep_is_named(content, tmp_path):
    if content is not None:
        (tmp_path / ".sweep.json").write_text(content)
    with pytest.raises(UserError, match="no sweep was started here"):
        read_sweep(tmp_path)
