"""`make sweep` that is killed half-way: the same command does what is missing."""

import json
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.page_commands import ROOT, finished, from_page, make_command, started

pytestmark = [pytest.mark.slow, pytest.mark.fault]

OPTIONS = [
    *("experiment=visual,rmlr", "seed=0", "trainer.max_epochs=1"),
    *("data.prepare.config.train=16", "+data.prepare.config.val=8", "+data.prepare.config.test=8"),
    *("data.prepare.workers=1", "trainer.check_val_every_n_epoch=1"),
    *("~callbacks.panel", "~callbacks.curves", "trainer.limit_train_batches=1"),
]


def make_sweep(folder: Path) -> list[str]:
    """The command, in the environment of the tests: nothing is installed."""
    options = " ".join([*OPTIONS, f"paths.data={folder}/data"])
    places = [f"RUNS={folder}/runs", f"ARGS={options}"]
    # two runs at once may end between two looks of `--watch`
    return make_command(from_page("make sweep"), "JOBS=1", *places)


def contents(folder: Path, name: str) -> dict[str, bytes]:
    """The files of this name, by the run's folder."""
    return {path.parent.name: path.read_bytes() for path in folder.glob(f"runs/*/{name}")}


def test_the_same_command_again_does_the_rest_and_makes_report_and_dashboard(tmp_path):
    with started(make_sweep(tmp_path), ROOT) as process:
        for line in process.stdout:
            if line.startswith("sweep: 1 of 2 runs finished"):
                os.killpg(process.pid, signal.SIGKILL)
    first = contents(tmp_path, "metrics.json")
    assert process.returncode == -9 and len(first) == 1

    again = finished(make_sweep(tmp_path), ROOT)
    assert again.returncode == 0, again.stderr
    assert "sweep: 1 of 2 runs finished" in again.stdout
    assert again.stdout.count("sweep: 2 of 2 runs finished\n") == 1
    log = (tmp_path / "runs" / "job1.log").read_text()
    assert log.count("skipped, already finished") == 1
    assert log.count("\ncheckpoint: ") == 1  # of the run that was missing

    both = contents(tmp_path, "metrics.json")
    assert first.items() < both.items() and len(both) == 2
    assert len(set(contents(tmp_path, ".config_hash").values())) == 2
    report = tmp_path / "runs" / "report"
    assert (report / "report.html").is_file()
    assert len((report / "runs.csv").read_text().splitlines()) == 3
    if find_spec("wandb_workspaces"):
        assert json.loads((report / "dashboard.json").read_text())

    # what is recorded as the command can be typed again
    for content in contents(tmp_path, "environment.json").values():
        assert " trainer.limit_train_batches=1" in json.loads(content)["command"]
