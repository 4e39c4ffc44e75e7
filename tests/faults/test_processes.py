"""A failure in one of two processes ends both, with one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    ],
)
def test_both_processes_end_with_one_line(world, tmp_path, how, line):
    command = [sys.executable, "-m", "rmlr_lightning.cli.train", *OPTIONS]
    command += [f"paths.data={world.parent}", f"hydra.run.dir={tmp_path}"]
    command += [f"+loss.failing.how={how}", "+loss.failing.at_step=1"]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    errors = [text for text in run.stderr.splitlines() if text.startswith("error: ")]
    assert len(errors) == 1 and line in errors[0], run.stderr
    assert "Traceback" not in run.stderr and run.returncode == 2
    assert not (tmp_path / "metrics.json").exists()
