"""A search by Optuna, as a user starts it.

In a process of its own: Optuna 2, which Hydra's plugin needs, warns of its libraries where it is
imported, and warnings are errors in this one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.page_commands import from_page

pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs rmlr-lightning[optuna]")
pytestmark = pytest.mark.slow

TINY = [
    "data.prepare.config.train=16",
    "+data.prepare.config.val=8",
    "+data.prepare.config.test=8",
    "data.prepare.workers=1",
    "data.num_workers=0",
    "trainer.max_epochs=1",
    "callbacks.panel=null",
    "callbacks.curves=null",
    "experiment=visual",
    "test=false",
]
DRAWN = [
    "optim.lr=choice(0.001,0.002,-1)",
    "hydra.sweeper.sampler.seed=15",  # draws 0.001, -1, 0.001 and 0.002
    "hydra.sweeper.n_trials=4",
]


class Search(NamedTuple):
    status: int
    out: str
    err: str


def search(folder: Path, *words: str) -> Search:
    places = [f"paths.data={folder / 'data'}", f"hydra.sweep.dir={folder / 'search'}"]
    command = [sys.executable, "-m", "rmlr_lightning.cli.train", *words, *TINY, *places]
    quiet = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet)
    return Search(done.returncode, done.stdout, done.stderr)


def trials(folder: Path) -> dict[float, float]:
    """The monitored metric by learning rate, from the files of the runs."""
    out = {}
    for path in folder.glob("*/metrics.json"):
        rate = yaml.safe_load((path.parent / "config.yaml").read_text())["optim"]["lr"]
        assert rate not in out, "a configuration was run twice"
        out[rate] = json.loads(path.read_text())["val/map_full"]
    return out


def best(folder: Path) -> tuple[float, float]:
    """(learning rate, value) that the search found."""
    results = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert list(results["best_params"]) == ["optim.lr"]
    return results["best_params"]["optim.lr"], results["best_value"]


@pytest.mark.fault
def test_a_search_skips_what_it_draws_again_and_survives_a_failure(tmp_path):
    _, *typed = from_page("rmlr-train -m hydra/sweeper=optuna")
    done = search(tmp_path, *typed, *DRAWN)
    folder = tmp_path / "search"
    assert done.status == 2
    assert "optim.lr=-1" in done.err and "error: 1 of 4 runs failed: " in done.err
    assert done.out.count("skipped, already finished") == 1
    assert "sweep: 2 of 4 runs finished, 1 failed\n" in done.out

    found = trials(folder)
    assert set(found) == {0.001, 0.002}
    rate, value = best(folder)
    assert value == found[rate] == max(found.values())

    rows = (folder / "report" / "runs.csv").read_text().splitlines()
    assert len(rows) == 1 + len(found)
