"""`model.compiled` in training: few graphs, no break, the gradients of the eager step."""

import json
import os
import subprocess
import sys

import pytest


def twin(backend: str) -> dict:
    command = [sys.executable, "-W", "ignore", "-m", "tests.tasks.compiled_twin", backend]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


MACHINE_CODE = pytest.mark.skipif(
    "RMLR_COMPILE" not in os.environ, reason="takes two minutes; set RMLR_COMPILE=1"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    [
        "eager",  # traced only
        pytest.param("inductor", marks=MACHINE_CODE),
    ],
)
def test_a_step_is_one_graph_for_each_of_few_sizes(backend):
    found = twin(backend)
    assert found["breaks"] == 0 and 1 < found["graphs"] <= 4
    assert found["difference"] < 1e-3
    same_seed, other_seed = found["repeats"]
    assert same_seed < 1e-5 < 0.1 < other_seed
