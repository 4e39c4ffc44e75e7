"""Which process does a run of a sweep, and when it is finished."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

import rmlr_lightning
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs import claim
from rmlr_lightning.runs.claim import (
    acquire_run,
    begin_folder,
    is_finished,
    prepare_data,
    read_metrics,
)
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.repeat import write_for_repetition

CONF = Path(conf_dir())


@pytest.fixture
def tmp_path(tmp_path):
    """The folder of a run, in a sweep of its own."""
    folder = tmp_path / "sweep" / "run"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Makes the configuration of one run of a sweep."""

    def make(*overrides: str, mode: RunMode = RunMode.MULTIRUN):
        common = [
            f"paths.output={tmp_path}",
            f"paths.data={tmp_path}/data",
            f"hydra.mode={mode.name}",
        ]
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose(
                "train", overrides=["resume=auto", *common, *overrides], return_hydra_config=True
            )
        hydra = OmegaConf.create({"hydra": {"mode": mode}})
        OmegaConf.set_readonly(hydra.hydra, True)  # as Hydra does
        monkeypatch.setattr(HydraConfig.instance(), "cfg", hydra)
        plain = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
        return plain

    return make


METRICS = {"val/map_full": 0.6, "test/map_full": 0.5}


def write_run(cfg, metrics: str | None = json.dumps(METRICS)) -> None:
    """Write what rmlr-train writes."""
    out = Path(cfg.paths.output)
    OmegaConf.save(cfg, out / "config.yaml", resolve=True)
    (out / "checkpoints").mkdir()
    (out / "checkpoints" / "last.ckpt").touch()
    if metrics is not None:
        (out / "metrics.json").write_text(metrics)


def test_a_finished_run_is_skipped(job, capsys):
    write_run(job())
    with acquire_run(job()) as acquired:
        assert not acquired
    assert "already finished" in capsys.readouterr().out
    assert read_metrics(job()) == METRICS


@pytest.mark.parametrize(
    "metrics",
    [None, "{", "{}", '{"fit_seconds": 1}', '{"val/map_full": 0.6}', '{"test/map_full": 0.5}'],
)
def test_an_interrupted_run_is_resumed(metrics, job, tmp_path):
    write_run(job(), metrics)
    with acquire_run(job()) as acquired:
        assert acquired
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()


def other_run(job, tmp_path, *overrides: str):
    """A run of another folder of the sweep."""
    folder = tmp_path.with_name("other")
    folder.mkdir(exist_ok=True)
    return job(f"paths.output={folder}", *overrides)


@pytest.mark.fault
def test_one_configuration_is_one_run_whatever_its_folders_are_called(job, tmp_path, capsys):
    with acquire_run(job()) as acquired:
        assert acquired
        write_run(job())
    again = other_run(job, tmp_path, "optim.lr=0.002", "data.num_workers=7")
    with acquire_run(again) as acquired:
        assert not acquired
    assert f"skipped, {tmp_path} has the same configuration" in capsys.readouterr().out
    # Optuna gets the value of that run
    assert read_metrics(again) == METRICS
    with acquire_run(other_run(job, tmp_path, "optim.lr=0.001")) as acquired:
        assert acquired


@pytest.mark.fault
def test_one_configuration_is_not_run_at_two_places_at_once(job, tmp_path):
    with acquire_run(job()) as first, acquire_run(other_run(job, tmp_path)) as second:
        assert first and not second


@pytest.mark.fault
@pytest.mark.parametrize("left", ["a hash", "half a run", "damaged metrics"])
def test_a_run_that_did_not_end_does_not_stand_for_another(left, job, tmp_path):
    with acquire_run(job()):
        if left != "a hash":
            write_run(job(), None if left == "half a run" else "{")
    with acquire_run(other_run(job, tmp_path)) as acquired:
        assert acquired


@pytest.mark.fault
@pytest.mark.parametrize(
    "override", ["optim.lr=0.25", "seed=1", "data.prepare.config.train=500", "model/remine=none"]
)
def test_a_sweep_leaves_a_run_of_another_configuration_alone(override, job, tmp_path):
    write_run(job())
    with pytest.raises(UserError, match=r"another configuration; choose .*hydra\.sweep\.dir"):
        with acquire_run(job(override)):
            pytest.fail("acquired")
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()
    assert read_metrics(job()) == METRICS


def test_what_does_not_change_a_result_may_change(job):
    write_run(job())
    assert is_finished(job("data.num_workers=7", "logger=wandb", "callbacks.wandb.checkpoint=true"))


def test_a_sweep_may_be_moved(job, tmp_path):
    write_run(job())
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("config.yaml", "metrics.json"):
        (tmp_path / name).rename(moved / name)
    assert is_finished(job(f"paths.output={moved}", "paths.data=/far/away"))


def test_a_sweep_may_be_resumed_by_another_installation(job):
    cfg = job("name=row")
    write_run(cfg)
    saved = Path(cfg.paths.output, "config.yaml")
    text = saved.read_text(encoding="utf-8")
    here = str(Path(rmlr_lightning.__file__).parents[1])
    assert here in text  # the shipped detector's weights
    saved.write_text(text.replace(here, "/elsewhere/site-packages"), encoding="utf-8")
    assert is_finished(cfg)


@pytest.mark.fault
def test_a_later_run_of_the_same_name_gets_a_folder_of_its_own(job, tmp_path, capsys):
    write_run(job())
    for number in (2, 3):
        cfg = job("resume=null", mode=RunMode.RUN)
        own = tmp_path.with_name(f"{tmp_path.name}-{number}")
        with acquire_run(cfg) as acquired:
            assert acquired and Path(cfg.paths.output) == own
            # DDP starts its other processes with this folder
            assert HydraConfig.get().run.dir == str(own)
            assert capsys.readouterr().out == ""  # until no mistake is left
            begin_folder(cfg)
            expected = f"{tmp_path}: holds another run; this one is written to {own}\n"
            assert capsys.readouterr().out == expected
            (own / "metrics.json").touch()
    assert read_metrics(job()) == METRICS


@pytest.mark.parametrize("test", [True, False])
def test_results_before_a_resume_are_removed_with_a_word_if_no_test_follows(
    test, job, tmp_path, capsys
):
    write_run(job())
    (tmp_path / "test_record.npz").touch()
    begin_folder(job("resume=last", f"test={test}", mode=RunMode.RUN))
    assert not (tmp_path / "metrics.json").exists()
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()
    printed = capsys.readouterr().out
    assert ("removed metrics.json, test_record.npz: " in printed) is not test


@pytest.mark.fault
def test_two_runs_at_the_same_time_have_two_folders(job, tmp_path):
    first, second = (job("resume=null", mode=RunMode.RUN) for _ in range(2))
    with acquire_run(first), acquire_run(second):
        folders = {first.paths.output, second.paths.output}
    assert folders == {str(tmp_path), f"{tmp_path}-2"}


def test_what_a_failed_start_left_is_no_run(job, tmp_path):
    cfg = job("resume=null", mode=RunMode.RUN)
    write_for_repetition(tmp_path, {}, [])
    OmegaConf.save(cfg, tmp_path / "config.yaml", resolve=True)
    with acquire_run(cfg):
        assert cfg.paths.output == str(tmp_path)


@pytest.mark.fault
@pytest.mark.parametrize("name", ["config.yaml", "curves.png", ".hydra/hydra.yaml"])
def test_files_of_a_folder_that_is_no_run_are_not_replaced(name, job, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"holds {name}, which is not of a run"):
        acquire_run(job("resume=null", mode=RunMode.RUN)).__enter__()


def test_a_trial_of_one_batch_is_no_run(job, tmp_path):
    cfg = job("debug=fast", "resume=null", mode=RunMode.RUN)
    write_for_repetition(tmp_path, {}, [])
    OmegaConf.save(cfg, tmp_path / "config.yaml", resolve=True)
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    with acquire_run(cfg):
        assert cfg.paths.output == str(tmp_path)


@pytest.mark.parametrize("resume", ["last", "auto", "OUT/checkpoints/last.ckpt"])
def test_a_run_that_resumes_keeps_its_folder(resume, job, tmp_path):
    write_run(job())
    cfg = job(f"resume={resume.replace('OUT', str(tmp_path))}", mode=RunMode.RUN)
    with acquire_run(cfg) as acquired:
        assert acquired and cfg.paths.output == str(tmp_path)


@pytest.mark.fault
def test_a_file_of_another_folder_does_not_make_this_one_its_own(job, tmp_path):
    write_run(job())
    cfg = job("resume=/elsewhere/checkpoints/last.ckpt", mode=RunMode.RUN)
    with acquire_run(cfg):
        assert cfg.paths.output == f"{tmp_path}-2"


@pytest.mark.fault
def test_a_run_that_another_process_trains_is_not_resumed(job, tmp_path, monkeypatch):
    monkeypatch.setattr(claim, "PATIENCE_S", 0.0)
    write_run(job())
    cfg = job("resume=last", mode=RunMode.RUN)
    with FileLock(tmp_path / ".lock"), pytest.raises(UserError, match="another process is"):
        with acquire_run(cfg):
            pytest.fail("acquired")


@pytest.mark.fault
@pytest.mark.parametrize("metrics", [None, json.dumps(METRICS)])
def test_the_same_sweep_again_does_what_is_missing(metrics, job):
    write_run(job(), metrics)
    cfg = job("resume=null")
    with acquire_run(cfg) as acquired:
        assert acquired == (metrics is None)
    assert cfg.resume == "auto"


@pytest.mark.fault
@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_named(job, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=rf"^{tmp_path}: cannot be written .*hydra\.run\.dir"):
        with acquire_run(job("resume=null", mode=RunMode.RUN)):
            pytest.fail("acquired")


def test_only_one_process_acquires_a_run(job, tmp_path):
    """Another process holds the lock, then is killed."""
    hold = (
        "import filelock, sys\n"
        "lock = filelock.FileLock(sys.argv[1])\n"
        "lock.acquire()\n"
        "print(flush=True)\n"
        "input()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        other.stdout.readline()
        with acquire_run(job()) as acquired:
            assert not acquired
    finally:
        other.kill()
        other.communicate()
    with acquire_run(job()) as acquired:
        assert acquired


def test_a_run_is_released_after_an_error(job, tmp_path):
    with pytest.raises(RuntimeError), acquire_run(job()):
        raise RuntimeError
    with FileLock(tmp_path / ".lock").acquire(blocking=False):
        pass


def mistake(cfg, *written: Path, error: Exception | None = None) -> None:
    """A run that writes these files and then fails."""
    with pytest.raises(type(error or UserError())), acquire_run(cfg):
        write_for_repetition(Path(cfg.paths.output), {}, [])
        for path in written:
            path.touch()
        raise error or UserError("seed=abc")


@pytest.mark.parametrize("resume", ["null", "last"])
def test_after_a_mistake_no_empty_folder_stays(resume, job, tmp_path):
    folder = tmp_path / "outputs" / "rmlr"
    mistake(job(f"resume={resume}", f"paths.output={folder}", mode=RunMode.RUN))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_user_stays_after_a_mistake(job, tmp_path):
    mistake(job("resume=null", mode=RunMode.RUN))
    assert tmp_path.is_dir()


def test_results_stay_after_a_mistake(job, tmp_path):
    folder = tmp_path / "rmlr"
    cfg = job("resume=null", f"paths.output={folder}", mode=RunMode.RUN)
    mistake(cfg, folder / "metrics.json")
    assert {path.name for path in folder.iterdir()} >= {"metrics.json", ".hydra"}


def test_the_configuration_stays_after_an_error_of_the_package(job, tmp_path):
    folder = tmp_path / "rmlr"
    cfg = job("resume=null", f"paths.output={folder}", mode=RunMode.RUN)
    mistake(cfg, error=RuntimeError())
    assert (folder / ".hydra" / "config.yaml").is_file()


def test_one_process_at_a_time_prepares_data(tmp_path):
    lock = FileLock(tmp_path / "data" / ".prepare.lock")
    prepared = []

    def prepare():
        assert (tmp_path / "data").is_dir()
        with pytest.raises(TimeoutError):
            lock.acquire(blocking=False)
        prepared.append(True)

    prepare_data(DataModule(None, None, None, prepare=prepare), tmp_path / "data")
    assert prepared
    with lock.acquire(blocking=False):
        pass


def test_where_nothing_is_prepared_no_folder_is_made(tmp_path):
    """The folder of a data set may be a typing error."""
    prepare_data(DataModule(None, None, None), tmp_path / "hico-dte")
    assert not (tmp_path / "hico-dte").exists()


def test_metrics_are_read_as_they_were_written(job, tmp_path):
    metrics = {"test/map_full": 0.5, "test/map_rare": 1 / 3}
    write_run(job(), json.dumps(metrics))
    assert read_metrics(job()) == metrics
