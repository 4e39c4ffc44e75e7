"""`model.compiled` in training: one graph, no break, the gradients of the eager step."""

import json
import os
import subprocess
import sys
from functools import cache

import pytest

from rmlr_lightning.models.compiled import ANY_ROWS


@pytest.fixture(scope="module")
def twins():
    """Compares by backend; one process does all steps of a backend, because its start is long."""

    @cache
    def compare(backend: str, *steps: str) -> dict:
        command = [sys.executable, "-W", "ignore", "-m", "tests.tasks.compiled_twin"]
        done = subprocess.run([*command, backend, *steps], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return compare


MACHINE_CODE = pytest.mark.skipif(
    "RMLR_COMPILE" not in os.environ, reason="takes a minute; set RMLR_COMPILE=1"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "steps", "step", "graphs"),
    [
        ("eager", ("whole", "counting"), "whole", 1),  # traced only
        ("eager", ("whole", "counting"), "counting", 2),
        # these tiny sizes lie on both sides of a bound of one kernel
        pytest.param("inductor", ("whole",), "whole", 2, marks=MACHINE_CODE),
    ],
)
def test_one_graph_serves_all_numbers_of_entities_and_pairs(backend, steps, step, graphs, twins):
    found = twins(backend, *steps)[step]
    sizes = 1 if ANY_ROWS else 4
    assert found["breaks"] == 0 and 0 < found["graphs"] <= graphs * sizes
    assert found["difference"] < 1e-3
    same_seed, other_seed = found["repeats"]
    assert same_seed < 1e-5 < 0.1 < other_seed
