"""Which process does a run of a sweep, and when it is finished."""

import json
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
from rmlr_lightning.runs.claim import acquire_run, is_finished, preparation_lock, read_metrics
from rmlr_lightning.runs.config import conf_dir

CONF = Path(conf_dir())


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
        monkeypatch.setattr(
            HydraConfig.instance(), "cfg", OmegaConf.create({"hydra": {"mode": mode}})
        )
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


@pytest.mark.parametrize(
    "override", ["optim.lr=0.25", "seed=1", "data.prepare.config.train=500", "model/remine=none"]
)
def test_a_run_of_another_configuration_starts_anew(override, job, tmp_path):
    write_run(job())
    with acquire_run(job(override)) as acquired:
        assert acquired
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()
    assert not (tmp_path / "metrics.json").exists()


def test_what_does_not_change_a_result_may_change(job):
    write_run(job())
    assert is_finished(job("data.num_workers=7", "logger=wandb"))


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


def test_a_single_run_is_always_acquired(job):
    write_run(job())
    with acquire_run(job(mode=RunMode.RUN)) as acquired:
        assert acquired


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


def test_one_process_at_a_time_prepares_data(tmp_path):
    lock = FileLock(tmp_path / "data" / ".prepare.lock")
    with preparation_lock(tmp_path / "data"):
        assert (tmp_path / "data").is_dir()
        with pytest.raises(TimeoutError):
            lock.acquire(blocking=False)
    with lock.acquire(blocking=False):
        pass


def test_metrics_are_read_as_they_were_written(job, tmp_path):
    metrics = {"test/map_full": 0.5, "test/map_rare": 1 / 3}
    write_run(job(), json.dumps(metrics))
    assert read_metrics(job()) == metrics
