"""Every run of a sweep is a run of Weights & Biases, with its own configuration."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from wandb.proto.wandb_internal_pb2 import Record
from wandb.sdk.internal.datastore import DataStore

from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.loggers import one_log_per_run


def read_run(folder: Path) -> dict:
    """The record of the run in an offline log."""
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    store = DataStore()
    store.open_for_scan(str(path))
    found: dict = {"config": {}}
    while (data := store.scan_data()) is not None:
        record = Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found |= {"name": record.run.display_name, "group": record.run.run_group}
        update = record.run.config.update if kind == "run" else record.config.update
        found["config"] |= {item.key or item.nested_key[0]: item.value_json for item in update}
    return found


@pytest.mark.slow
@pytest.mark.fault
def test_each_run_has_its_own_log_with_its_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for seed in (0, 1):
        out = tmp_path / str(seed)
        out.mkdir()
        overrides = [f"seed={seed}", f"paths.output={out}", "logger=wandb"]
        overrides += ["logger.wandb.group=multirun/mine"]
        with initialize_config_dir(conf_dir(), version_base="1.3"):
            cfg = compose("train", overrides)
        loggers = list(instantiate(cfg.logger).values())
        with one_log_per_run(loggers, cfg):
            pass
    for seed in (0, 1):
        run = read_run(tmp_path / str(seed))
        assert (run["name"], run["group"]) == (f"rmlr-seed{seed}", "multirun/mine")
        assert run["config"]["seed"] == str(seed)
