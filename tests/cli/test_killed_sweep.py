"""A sweep that is killed half-way, as a user starts it: the same command does what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.fault]

COMMAND = [
    *(sys.executable, "-m", "rmlr_lightning.cli.train", "-m", "experiment=visual", "seed=0,1"),
    *("data.prepare.config.train=16", "+data.prepare.config.val=8", "+data.prepare.config.test=8"),
    *("data.prepare.workers=1", "data.num_workers=0", "trainer.max_epochs=1"),
    *("~callbacks.panel", "~callbacks.curves", "trainer.limit_train_batches=1"),
]


def contents(folder: Path, name: str) -> dict[str, bytes]:
    """The files of this name, by the end of the run's folder."""
    return {path.parent.name: path.read_bytes() for path in folder.glob(f"multirun/*/*/{name}")}


def test_the_same_command_again_does_the_rest_and_makes_the_report(tmp_path):
    options = {"cwd": tmp_path, "text": True, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, **options)
    with process:
        for line in process.stdout:
            if line.startswith("sweep: 1 of 2 runs finished"):
                process.kill()
    first = contents(tmp_path, "metrics.json")
    assert process.returncode == -9 and len(first) == 1

    again = subprocess.run(COMMAND, capture_output=True, check=True, **options)
    assert "sweep: 1 of 2 runs finished, about " in again.stdout
    assert again.stdout.count("skipped, already finished") == 1
    assert again.stdout.count("weights: ") == 1  # that were trained
    assert "sweep: 2 of 2 runs finished\n" in again.stdout

    both = contents(tmp_path, "metrics.json")
    assert first.items() < both.items() and len(both) == 2
    hashes = contents(tmp_path, ".config_hash")
    assert len(set(hashes.values())) == 2
    (sweep,) = (tmp_path / "multirun").iterdir()
    assert (sweep / "report" / "report.html").is_file()
    assert len((sweep / "report" / "runs.csv").read_text().splitlines()) == 3

    # what is recorded as the command can be typed again
    for content in contents(tmp_path, "environment.json").values():
        assert " trainer.limit_train_batches=1" in json.loads(content)["command"]
