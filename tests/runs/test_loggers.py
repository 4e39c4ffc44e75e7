"""Every run of a sweep is a run of Weights & Biases, with its own configuration."""

import json
import shlex
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from hydra.utils import instantiate
from omegaconf import OmegaConf
from wandb.proto.wandb_internal_pb2 import Record

from rmlr_lightning.runs.hydra_program import hydra_program
from rmlr_lightning.runs.loggers import WANDB, continue_logs, one_log_per_run, print_upload

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
            found |= names | {"id": record.run.run_id, "job_type": record.run.job_type}
        update = record.run.config.update if kind == "run" else record.config.update
        found["config"] |= {item.key or item.nested_key[0]: item.value_json for item in update}
    return found


@pytest.mark.slow
@pytest.mark.fault
def test_each_run_has_its_own_log_with_its_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    configs = []

    def run(cfg):
        OmegaConf.resolve(cfg)  # names of Hydra's are gone after the run
        configs.append(cfg)
        environment = Path(cfg.paths.output, "environment.json")
        environment.write_text('{"git": {"commit": "abc1234"}}')
        loggers = list(instantiate(cfg.logger).values())
        with one_log_per_run(loggers, cfg):
            pass
        print_upload(loggers)

    monkeypatch.chdir(tmp_path)
    swept = ["-m", "seed=0,1", "optim.lr=0.002", "+text.hub_token=s3cr3t"]
    rest = ["logger=wandb", "~hydra.callbacks.sweep", "hydra.sweep.dir=multirun/mine/"]
    monkeypatch.setattr(sys, "argv", ["rmlr-train", *swept, *rest])
    hydra_program("train")(run)()
    wandb.teardown()  # its service writes the files, a moment later on a busy machine
    for seed, cfg in enumerate(configs):
        out = Path(cfg.paths.output)
        found = read_run(out)
        # the seeds of a row are a group
        row = "optim.lr=0.002 text.hub_token=(hidden)"
        assert (found["name"], found["group"]) == (f"rmlr-seed{seed} {row}", f"rmlr {row}")
        assert found["job_type"] == "multirun/mine"
        assert json.loads(found["config"]["environment"]) == {"git": {"commit": "abc1234"}}
        assert found["config"]["seed"] == str(seed)
        assert "s3cr3t" not in str(found)
    captured = capsys.readouterr()
    assert "anonymous" not in captured.err  # a setting of Lightning's that has no effect any more
    printed = [line for line in captured.out.splitlines() if line[:6] == "wandb:"]
    assert len(printed) == 2
    (log,) = out.glob("wandb/offline-run-*")
    words = shlex.split(printed[1].removeprefix("wandb: offline; upload with: "))
    assert words == ["wandb", "sync", str(log)]

    # a run that resumes continues its log; `cfg` is that of the second run
    loggers = list(instantiate(continue_logs(cfg.logger, out)).values())
    with one_log_per_run(loggers, cfg):
        pass
    print_upload(loggers)
    wandb.teardown()
    assert read_run(out)["id"] == found["id"]
    assert continue_logs(cfg.logger, tmp_path) == cfg.logger
    # whose parts are uploaded together
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line[:6] == "wandb:"]
    logs = sorted(map(str, out.glob("wandb/offline-run-*")))
    assert len(logs) == 2 and shlex.split(line)[-3:] == ["sync", *logs]


def log_of_wandb(out: Path, folder: str, run_id: str) -> None:
    log = out / "wandb" / folder / f"run-{run_id}.wandb"
    log.parent.mkdir(parents=True)
    log.touch()


def continued_id(out: Path) -> str | None:
    return continue_logs(OmegaConf.create({"wandb": {"_target_": WANDB}}), out).wandb.get("id")


@pytest.mark.fault
def test_a_run_that_started_twice_in_a_second_keeps_its_id(tmp_path):
    log_of_wandb(tmp_path, "offline-run-20261128_120000-abc", "abc")
    log_of_wandb(tmp_path, "offline-run-20261128_120000-abc-1", "abc")
    assert continued_id(tmp_path) == "abc"


def test_an_id_of_the_users_may_have_dashes(tmp_path):
    log_of_wandb(tmp_path, "run-20261128_120000-my-run-7", "my-run-7")
    assert continued_id(tmp_path) == "my-run-7"


def test_the_newest_log_is_continued_whether_it_was_kept_offline_or_not(tmp_path):
    log_of_wandb(tmp_path, "offline-run-20261128_120000-old", "old")
    log_of_wandb(tmp_path, "run-20261128_120001-new", "new")
    log_of_wandb(tmp_path, "offline-run-20261127_120000-older", "older")
    assert continued_id(tmp_path) == "new"


def test_a_log_without_records_is_not_continued(tmp_path):
    (tmp_path / "wandb" / "offline-run-20261128_120000-abc").mkdir(parents=True)
    assert continued_id(tmp_path) is None
