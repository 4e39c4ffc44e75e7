"""Every run of a sweep is a run of Weights & Biases, with its own configuration."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from wandb.proto.wandb_internal_pb2 import Record

from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.loggers import continue_logs, one_log_per_run

BLOCK, HEADER = 32768, 7


def records(path: Path) -> Iterator[bytes]:
    """The records of a log in LevelDB's format: blocks of parts (checksum, length, kind, data)."""
    log = path.read_bytes()
    place, record = HEADER, b""  # the first block starts with a header as long as that of a part
    while place + HEADER <= len(log):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", log, place)
        record += log[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # a whole record, or its last part
            yield record
            record = b""


def read_run(folder: Path) -> dict:
    """What an offline log holds about its run."""
    *_, path = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    found: dict = {"config": {}}
    for data in records(path):
        record = Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            names = {"name": record.run.display_name, "group": record.run.run_group}
            found |= names | {"id": record.run.run_id}
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
        overrides += ["+text.hub_token=s3cr3t"]
        (out / "environment.json").write_text('{"git": {"commit": "abc1234"}}')
        with initialize_config_dir(conf_dir(), version_base="1.3"):
            cfg = compose("train", overrides)
        loggers = list(instantiate(cfg.logger).values())
        with one_log_per_run(loggers, cfg):
            pass
    wandb.teardown()  # its service writes the files, a moment later on a busy machine
    for seed in (0, 1):
        run = read_run(tmp_path / str(seed))
        # the seeds of an experiment are a group
        assert (run["name"], run["group"]) == (f"rmlr-seed{seed}", "rmlr")
        assert json.loads(run["config"]["environment"]) == {"git": {"commit": "abc1234"}}
        assert run["config"]["seed"] == str(seed)
        assert "s3cr3t" not in str(run)

    # a run that resumes continues its log; `cfg` is that of the second run
    loggers = list(instantiate(continue_logs(cfg.logger, out)).values())
    with one_log_per_run(loggers, cfg):
        pass
    wandb.teardown()
    assert read_run(out)["id"] == run["id"]
    assert continue_logs(cfg.logger, tmp_path) == cfg.logger
