"""`model.compiled`: one graph without a break, equal to the eager model."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [("neck", "transformer", "transformer"), ("map", "upt", "upt"), ("map", "pvic", "linear")],
)
def test_a_compiled_model_equals_the_eager_one_in_evaluation_and_training(parts):
    command = [sys.executable, "-W", "ignore", "-m", "tests.models.compiled_twin", *parts]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "same", done.stderr[-2000:]
