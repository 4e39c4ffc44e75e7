"""A failure in one of two processes ends both, with one line."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from tests.page_commands import ROOT, finished, from_page, installed, started

FOUND = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}  # tests.faults, too
ON_ONE_MACHINE = [*from_page("rmlr-train trainer=ddp")[1:], "trainer.devices=2"]
OPTIONS = [
    "loss=focal",
    "data.num_workers=0",
    "data.batch_size=4",
    "model/remine=neck",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "callbacks.progress=null",
    "callbacks.panel=null",
    "callbacks.curves=null",
    "report=false",
    "+trainer.enable_model_summary=false",
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
    "data.prepare.config.seed=3",
]


def trained(world, folder, how: str, *more: str) -> subprocess.CompletedProcess:
    """rmlr-train in two processes. Both hold the pipe of stderr: this returns when both ended."""
    command = [sys.executable, "-m", "rmlr_lightning.cli.train"]
    command += [*ON_ONE_MACHINE, *arguments(world, folder, how), *more]
    return finished(command, folder, **FOUND)


def arguments(world, folder, how: str) -> list[str]:
    out = [*OPTIONS, f"paths.data={world.parent}", f"hydra.run.dir={folder}"]
    out += ["+loss.failing._target_=tests.faults.process_losses.Failing"]
    return [*out, f"+loss.failing.how={how!r}", "+loss.failing.at_step=1"]


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize(
    "how, line",
    [
        (
            "infinite",
            "training diverged in epoch 0, step 1: loss term failing is not finite; image ids",
        ),
        ("mistake", "error: bad.json: row 7 is wrong"),
        ("killed", "another process of this run ended without a message"),
    ],
)
def test_both_processes_end_with_one_line(world, tmp_path, how, line):
    run = trained(world, tmp_path, how)
    errors = [text for text in run.stderr.splitlines() if text.startswith("error: ")]
    assert len(errors) == 1 and line in errors[0], run.stderr
    assert "Traceback" not in run.stderr and run.returncode == 2
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize(
    "how, status, line",
    [("first killed", -9, None), ("interrupted", 130, "stopped by SIGINT")],
)
def test_a_signal_to_the_first_process_leaves_no_orphan(world, tmp_path, how, status, line):
    run = trained(world, tmp_path, how)
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stderr
    assert [text.partition(";")[0] for text in run.stderr.splitlines() if "stopped by" in text] == (
        [line] if line else []
    )


@pytest.mark.slow
@pytest.mark.fault
def test_both_processes_stop_after_one_step_with_a_checkpoint_and_resume(world, tmp_path):
    every = ("data.batch_size=2", "+trainer.limit_train_batches=12", "test=false")
    run = trained(world, tmp_path, "terminated", *every)
    assert run.returncode == 143, run.stderr
    assert "stopped by SIGTERM; resume with" in run.stderr and "Traceback" not in run.stderr
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 10
    run = trained(world, tmp_path, "terminated", *every, "resume=last")
    assert run.returncode == 0, run.stderr
    assert torch.load(last, weights_only=True)["global_step"] == 12


@pytest.mark.slow
def test_torchrun_on_two_machines_makes_one_run(world, tmp_path):
    """Here both are this machine, with a process each."""
    program, *options = from_page("torchrun --nnodes=2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        here = {"HOST:29500": f"127.0.0.1:{free.getsockname()[1]}", "node=8": "node=1"}
    for typed, used in here.items():
        options = [word.replace(typed, used) for word in options]
    command = [installed(program), "--local-addr=127.0.0.1", *options]
    command += [*OPTIONS, f"paths.data={world.parent}", f"hydra.run.dir={tmp_path}"]
    command += ["+trainer.limit_train_batches=2"]
    with (
        started(command, tmp_path, **FOUND) as one,
        started(command, tmp_path, **FOUND) as other,
    ):
        errors = [process.communicate(timeout=300)[1] for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), errors
    # of all 48 images of the test split
    assert json.loads((tmp_path / "metrics.json").read_text())["test/map_full"] >= 0
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2
