"""Runs in Weights & Biases are named and grouped as the rows of a report."""

import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.runs.hydra_program import hydra_program
from rmlr_lightning.runs.repeat import write_for_repetition
from rmlr_lightning.runs.secrets import words_without_secrets

NO_REPORT = "~hydra.callbacks.sweep"


def resolved(arguments: list[str], monkeypatch, folder: Path) -> list[dict]:
    """The logger of W&B of every run of a command line, in the order of the runs.

    Each run leaves what a report reads: what was typed, its configuration, and a metric.
    """
    found = []

    def run(cfg):
        home = Path(cfg.paths.output)
        typed = words_without_secrets(HydraConfig.get().overrides.task)
        write_for_repetition(home, OmegaConf.to_container(cfg, resolve=False), typed)
        (home / "metrics.json").write_text('{"test/map_full": 0.5}')
        wandb_logger = cfg.logger.wandb
        found.append({key: wandb_logger[key] for key in ("name", "group", "job_type")})

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["rmlr-train", *arguments, "logger=wandb", NO_REPORT])
    hydra_program("train")(run)()
    assert not HydraConfig.initialized() and not GlobalHydra.instance().is_initialized()
    return found


def test_a_group_is_a_row_of_the_report_and_has_one_run_per_seed(tmp_path, monkeypatch):
    # neither the number of workers nor the folder of the data changes a result
    typed = ["experiment=visual", "optim.lr=0.001,0.002", "seed=0,1"]
    rest = ["data.num_workers=0", "paths.data=elsewhere"]
    runs = resolved(["-m", *typed, *rest], monkeypatch, tmp_path)
    groups = [run["group"] for run in runs]
    assert groups == [f"visual optim.lr={lr}" for lr in (0.001, 0.002) for _ in (0, 1)]
    assert len({run["name"] for run in runs}) == 4
    assert runs[1]["name"] == "visual-seed1 optim.lr=0.001"

    reported = find_runs([tmp_path / "multirun"], "test/map_full").runs
    assert sorted(groups) == sorted(run.row for run in reported)
    (sweep,) = (tmp_path / "multirun").iterdir()
    assert {run["job_type"] for run in runs} == {f"multirun/{sweep.name}"}


def test_a_single_run_is_grouped_by_its_name(tmp_path, monkeypatch):
    (run,) = resolved(["experiment=visual", "seed=3"], monkeypatch, tmp_path)
    assert run == {"name": "visual-seed3", "group": "visual", "job_type": None}


@pytest.mark.fault
def test_names_hide_secrets_and_are_of_a_length_that_the_server_takes(tmp_path, monkeypatch):
    """64 characters of a job type, 128 of the others; rows that were cut stay apart."""
    long = [f"trainer.max_epochs={10**60},{10**60 + 1}", "optim.warmup=" + "1" * 60]
    secret = ["+text.hub_token=s3cr3t"]
    runs = resolved(["-m", *long, *secret], monkeypatch, tmp_path)
    assert all(len(run["job_type"]) == 64 for run in runs)
    assert len({run["job_type"] for run in runs}) == 1
    assert all(len(run[key]) == 128 for run in runs for key in ("name", "group"))
    assert len({run["group"] for run in runs}) == 2
    (run,) = resolved(["seed=0", *secret], monkeypatch, tmp_path)
    assert run["group"] == "rmlr text.hub_token=(hidden)"
    assert not list(tmp_path.rglob("*s3cr3t*"))
