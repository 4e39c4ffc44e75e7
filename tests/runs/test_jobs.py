"""A run of a sweep that fails does not stop those after it."""

from types import SimpleNamespace

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.hydra_program import SearchDirection, as_sweep
from rmlr_lightning.runs.jobs import Jobs
from rmlr_lightning.runs.stop_signals import Stopped
from rmlr_lightning.runs.sweep_members import members_of
from rmlr_lightning.runs.sweep_progress import SweepProgress

pytestmark = pytest.mark.fault


@pytest.fixture
def folder(monkeypatch):
    """The output folder of the current run, as Hydra has it."""
    current = SimpleNamespace(name="", callbacks={"sweep": {}})

    def config():
        runtime = {"output_dir": current.name}
        return OmegaConf.create({"runtime": runtime, "callbacks": current.callbacks})

    monkeypatch.setattr(HydraConfig, "get", staticmethod(config))
    return current


def failing(cfg):
    raise UserError("data.batch_size=0: expected a whole number")


def crashing(cfg):
    raise ZeroDivisionError("a mistake of ours")


def sweep(folder, **functions) -> tuple[Jobs, list]:
    jobs, results = Jobs(), []
    for folder.name, function in functions.items():
        results.append(jobs.run(function, None))
    return jobs, results


@pytest.fixture
def progress(tmp_path, monkeypatch):
    """A sweep of two runs where there are no earlier runs, here or in folders beside it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "multirun" / "sweep"
    folder.mkdir(parents=True)
    made = SweepProgress(folder, members_of({}, ["seed=0,1"]), begun=0.0)
    yield made
    SweepProgress.current = None


def test_why_a_run_failed_is_written_into_its_folder_and_counted(progress, folder, capsys):
    jobs = Jobs()
    SweepProgress.current = progress
    for name in ("seed=0", "seed=1"):
        (progress.folder / name).mkdir()
        folder.name = str(progress.folder / name)
        jobs.run(failing, OmegaConf.create({"trainer": {"max_epochs": 1}}))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "sweep: 0 of 2 runs finished, 1 failed",
        "sweep: 0 of 2 runs finished, 2 failed",
    ]
    for path in progress.folder.glob("*/error.txt"):
        assert path.read_text() == "data.batch_size=0: expected a whole number\n"


def test_a_folder_that_is_run_twice_counts_once(progress, folder, capsys):
    """Hydra has a job for each way in which a value was typed, such as 0.002 and 2e-3."""
    jobs = Jobs()
    SweepProgress.current = progress
    for name in ("seed=0", "seed=1", "seed=1"):
        (progress.folder / name).mkdir(exist_ok=True)
        folder.name = str(progress.folder / name)
        jobs.run(failing, OmegaConf.create({"trainer": {"max_epochs": 1}}))
    assert capsys.readouterr().out.splitlines()[-1] == "sweep: 0 of 2 runs finished, 2 failed"
    with pytest.raises(UserError, match=r"^2 of 2 runs failed: \S*seed=0, \S*seed=1$"):
        jobs.check()


def test_a_run_that_failed_in_another_process_is_not_tried_again(progress, folder, capsys):
    jobs = Jobs()
    SweepProgress.current = progress
    (progress.folder / "seed=0").mkdir()
    (progress.folder / "seed=0" / "error.txt").touch()
    folder.name = str(progress.folder / "seed=0")
    cfg = OmegaConf.create({"trainer": {"max_epochs": 1}})
    assert jobs.run(lambda cfg: pytest.fail("started"), cfg) is None
    assert "skipped, it failed in another process" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"^1 of 2 runs failed: \S*seed=0$"):  # as the lines count
        jobs.check()


def test_a_sweep_without_failures_passes(folder):
    jobs, results = sweep(folder, a=lambda cfg: 1.0, b=lambda cfg: 2.0)
    jobs.check()
    assert results == [1.0, 2.0]


def test_the_failed_run_is_named_at_once_and_at_the_end(folder, capsys):
    jobs, results = sweep(folder, a=lambda cfg: 1.0, b=failing, c=lambda cfg: 3.0)
    assert results == [1.0, None, 3.0]
    assert capsys.readouterr().err == "error: b: data.batch_size=0: expected a whole number\n"
    with pytest.raises(UserError, match=r"^1 of 3 runs failed: b$"):
        jobs.check()


def test_an_error_of_the_package_keeps_its_traceback(folder, capsys):
    jobs, results = sweep(folder, a=crashing, b=lambda cfg: 2.0)
    assert results == [None, 2.0]
    assert "ZeroDivisionError: a mistake of ours" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match=r"^1 of 2 runs failed: a$"):
        jobs.check()


def test_a_signal_stops_the_whole_sweep(folder):
    def stopped(cfg):
        raise Stopped(15)

    def stopped_with_an_error(cfg):
        try:
            raise Stopped(15)
        finally:
            raise RuntimeError("a clean-up that fails")

    for function in (stopped, stopped_with_an_error):
        with pytest.raises((Stopped, RuntimeError)):
            sweep(folder, a=function, b=lambda cfg: pytest.fail("started"))


def test_a_run_that_fails_in_a_process_of_a_launcher_is_found_in_its_folder(
    progress, folder, capsys
):
    """A launcher such as submitit leaves the sweep at the first error that it gets."""
    elsewhere = Jobs()
    elsewhere.process = -1
    for name, function in {"seed=0": crashing, "seed=1": lambda cfg: 1.0}.items():
        (progress.folder / name).mkdir()
        folder.name = str(progress.folder / name)
        assert elsewhere.run(function, None) == {"seed=0": None, "seed=1": 1.0}[name]
    capsys.readouterr()
    users = Jobs()  # in the process of the user, which has done no run
    SweepProgress.current = progress
    with pytest.raises(UserError, match=r"^1 of 2 runs failed: \S*seed=0$"):
        users.check()
    assert capsys.readouterr().err.endswith("seed=0: ZeroDivisionError: a mistake of ours\n")
    text = (progress.folder / "seed=0" / "error.txt").read_text()
    assert text.endswith("ZeroDivisionError: a mistake of ours\n")


def test_a_launcher_gets_the_error_of_a_program_that_has_no_sweeps(folder):
    folder.callbacks = {}
    jobs = Jobs()
    jobs.process = -1
    with pytest.raises(UserError, match=r"data\.batch_size=0"):
        jobs.run(failing, None)


def test_an_error_of_a_sweeper_all_of_whose_runs_failed_is_not_shown(folder):
    """Optuna looks for the best run among none."""
    jobs, _ = sweep(folder, a=failing)
    with pytest.raises(UserError, match=r"^1 of 1 run failed: a$"), jobs.search():
        raise ValueError("No trials are completed yet.")


def test_another_error_of_a_sweeper_is_not_hidden(folder):
    jobs, _ = sweep(folder, a=failing, b=lambda cfg: 1.0)
    with pytest.raises(ValueError, match="of the sweeper"), jobs.search():
        raise ValueError("of the sweeper")


def test_a_job_of_a_launcher_that_was_killed_is_one_line_with_the_way_out(progress):
    class UncompletedJobError(RuntimeError):
        """As submitit's."""

    message = "Job 7 (task: 0) with path /s/.submitit/7/7_0_result.pkl\nhas no output"
    with pytest.raises(UserError) as caught, Jobs().search():
        SweepProgress.current = progress
        raise UncompletedJobError(message)
    assert "a job was killed or ran out of time (its log is in /s/.submitit/7);" in str(
        caught.value
    )
    assert f"`rmlr-report {progress.folder}` reports" in str(caught.value)


def test_a_search_for_the_smallest_metric_is_refused(capsys):
    """Optuna minimises where nothing else is typed."""
    cfg = OmegaConf.create(
        {"hydra": {"sweeper": {"direction": "minimize"}}, "task": {"monitor": "val/map_full"}}
    )
    with pytest.raises(SystemExit) as stopped:
        SearchDirection().on_multirun_start(cfg)
    assert stopped.value.code == 2
    expected = "val/map_full is better when it is larger; add hydra.sweeper.direction=maximize\n"
    assert capsys.readouterr().err.endswith(expected)
    for cfg.hydra.sweeper.direction in ("maximize", None):  # Hydra's own sweeper has none
        SearchDirection().on_multirun_start(cfg)


@pytest.mark.parametrize("words", [["+sweep=seeds", "seed=1"], ["seed=1", "+sweep=seeds"]])
def test_a_preset_is_a_sweep_whatever_else_is_wrong(words):
    """Without -m Hydra asks for it where another argument is wrong."""
    assert as_sweep(words) == ["-m", *words]
    assert as_sweep(["--cfg", "job", *words]) == ["--cfg", "job", *words]
    assert as_sweep(["seed=1"]) == ["seed=1"]
