"""Sweeps: every one composes, and one goes on where it stopped."""

import json
import re
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
from rmlr_lightning.runs.claim import alone, finished, kept_figures, turn
from rmlr_lightning.runs.config import conf_dir, short_name

CONF = Path(conf_dir())
SWEEPS = sorted(path.stem for path in (CONF / "sweep").glob("*.yaml"))


def experiments(sweep: str) -> list[str]:
    params = OmegaConf.load(CONF / "sweep" / f"{sweep}.yaml").hydra.sweeper.params
    return [name.strip() for name in params.experiment.split(",")]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_sweep_composes_and_may_be_started_again(sweep):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=[f"+sweep={sweep}"], return_hydra_config=True)
    assert cfg.hydra.mode == RunMode.MULTIRUN
    assert cfg.resume == "auto"


@pytest.mark.parametrize(
    ("sweep", "name"), [(sweep, name) for sweep in SWEEPS for name in experiments(sweep)]
)
def test_every_row_of_a_sweep_is_an_experiment_that_bears_its_name(sweep, name):
    """rmlr-report tells rows apart by `name`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("train", overrides=[f"+sweep={sweep}", f"experiment={name}"]).name == name


def test_a_run_of_many_overrides_has_a_folder_whose_name_a_file_system_takes():
    short, long = "experiment=upt,seed=1", "alignment.sentence.weight=0.1," * 20
    assert short_name(short) == short
    assert len(short_name(long).encode()) <= 250 and short_name(long).startswith(
        "alignment.sentence.weight=0.1,"
    )
    assert short_name(long) != short_name(long + "seed=1")


def test_make_reports_each_sweep_against_a_row_that_it_has():
    makefile = (CONF.parent / "Makefile").read_text()
    options = dict(re.findall(r"^REPORT_(\w+) := (.*)$", makefile, re.MULTILINE))
    assert sorted(options) == SWEEPS
    for sweep, option in options.items():
        assert option == "--split val" or option.removeprefix("--baseline ") in experiments(sweep)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Makes the configuration of a job of a sweep; `mode` and overrides may be chosen."""

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


FIGURES = {"val/map_full": 0.6, "test/map_full": 0.5}


def leave(cfg, figures: str | None = json.dumps(FIGURES)) -> None:
    """What rmlr-train leaves."""
    out = Path(cfg.paths.output)
    OmegaConf.save(cfg, out / "config.yaml", resolve=True)
    (out / "checkpoints").mkdir()
    (out / "checkpoints" / "last.ckpt").touch()
    if figures is not None:
        (out / "metrics.json").write_text(figures)


def test_a_finished_run_is_not_repeated(job, capsys):
    leave(job())
    with turn(job()) as mine:
        assert not mine
    assert "finished before" in capsys.readouterr().out
    assert kept_figures(job()) == FIGURES


@pytest.mark.parametrize(
    "figures",
    [None, "{", "{}", '{"fit_seconds": 1}', '{"val/map_full": 0.6}', '{"test/map_full": 0.5}'],
)
def test_a_broken_run_goes_on(figures, job, tmp_path):
    leave(job(), figures)
    with turn(job()) as mine:
        assert mine
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize(
    "override", ["optim.lr=0.25", "seed=1", "data.prepare.config.train=500", "model/remine=none"]
)
def test_a_run_of_another_configuration_starts_anew(override, job, tmp_path):
    leave(job())
    with turn(job(override)) as mine:
        assert mine
    assert (
        not (tmp_path / "checkpoints" / "last.ckpt").exists()
        and not (tmp_path / "metrics.json").exists()
    )


def test_what_does_not_change_a_result_may_change(job):
    leave(job())
    assert finished(job("data.num_workers=7", "logger=wandb"))


def test_a_sweep_may_be_moved(job, tmp_path):
    leave(job())
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("config.yaml", "metrics.json"):
        (tmp_path / name).rename(moved / name)
    assert finished(job(f"paths.output={moved}", "paths.data=/far/away"))


def test_a_sweep_may_go_on_from_another_installation(job):
    cfg = job("name=row")
    leave(cfg)
    kept = Path(cfg.paths.output, "config.yaml")
    text = kept.read_text(encoding="utf-8")
    here = str(Path(rmlr_lightning.__file__).parents[1])
    assert here in text  # the shipped detector's weights
    kept.write_text(text.replace(here, "/elsewhere/site-packages"), encoding="utf-8")
    assert finished(cfg)


def test_a_single_run_is_always_done(job):
    leave(job())
    with turn(job(mode=RunMode.RUN)) as mine:
        assert mine


def test_only_one_process_does_a_run(job, tmp_path):
    """Another process holds it, then dies without a word."""
    hold = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        other.stdout.readline()
        with turn(job()) as mine:
            assert not mine
    finally:
        other.kill()
        other.communicate()
    with turn(job()) as mine:
        assert mine


def test_a_run_is_given_back_after_an_error(job, tmp_path):
    with pytest.raises(RuntimeError), turn(job()):
        raise RuntimeError
    with FileLock(tmp_path / ".lock").acquire(blocking=False):
        pass


def test_data_is_made_by_one_at_a_time(tmp_path):
    lock = FileLock(tmp_path / "data" / ".prepare.lock")
    with alone(tmp_path / "data"):
        assert (tmp_path / "data").is_dir()
        with pytest.raises(TimeoutError):
            lock.acquire(blocking=False)
    with lock.acquire(blocking=False):
        pass


def test_figures_survive_as_they_were_written(job, tmp_path):
    figures = {"test/map_full": 0.5, "test/map_rare": 1 / 3}
    leave(job(), json.dumps(figures))
    assert kept_figures(job()) == figures
