"""`model.compiled` in training: few graphs, no break, the gradients of the eager step."""

import json
import subprocess
import sys

import pytest


def twin(backend: str) -> dict:
    command = [sys.executable, "-W", "ignore", "-m", "tests.tasks.compiled_twin", backend]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "inductor"])  # traced only; turned into machine code
def test_a_step_is_one_graph_for_each_of_few_sizes(backend):
    found = twin(backend)
    assert found["breaks"] == 0 and 1 < found["graphs"] <= 4
    assert found["difference"] < 1e-3
