"""A failure in one of two processes ends both, with one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = [
    "loss=focal",
    "data.num_workers=0",
    "data.batch_size=4",
    "model/remine=neck",
    "trainer=ddp",
    "trainer.devices=2",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "callbacks.progress=null",
    "+trainer.enable_model_summary=false",
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
    "data.prepare.config.seed=3",
    "+loss.failing._target_=tests.faults.process_losses.Failing",
]


def trained(world, folder, how: str, *more: str) -> subprocess.CompletedProcess:
    """rmlr-train in two processes. Both hold the pipe of stderr: this returns when both ended."""
    command = [sys.executable, "-m", "rmlr_lightning.cli.train", *OPTIONS]
    command += [f"paths.data={world.parent}", f"hydra.run.dir={folder}"]
    command += [f"+loss.failing.how={how!r}", "+loss.failing.at_step=1", *more]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


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
        ("death", "another process of this run ended without a message"),
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
