"""`model.compiled`: one graph without a break, equal to the eager model."""

import json
import subprocess
import sys

import pytest

COMPOSITIONS = ["neck transformer transformer", "map upt upt", "map pvic linear"]


@pytest.fixture(scope="module")
def twins() -> dict[str, str]:
    """What was found by composition; one process does all, because its start is long."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.models.compiled_twin", *COMPOSITIONS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_a_compiled_model_equals_the_eager_one_in_evaluation_and_training(composition, twins):
    assert twins[composition] == "same"
