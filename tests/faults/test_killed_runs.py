"""A run that was killed at any moment ends like one that ran through."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.linked_world import link_world

KILLS = 2  # `python -m tests.faults.killed_runs FOLDER --kills 20` does more


@pytest.mark.slow
@pytest.mark.fault
def test_killed_runs_end_like_one_that_ran_through(world, tmp_path):
    """To the bit: weights, moving average, optimiser, schedule, metrics, best checkpoint."""
    link_world(world, tmp_path)
    seed = random.randrange(2**32)
    command = [sys.executable, "-m", "tests.faults.killed_runs", str(tmp_path)]
    done = subprocess.run(
        [*command, "--kills", str(KILLS), "--seed", str(seed)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
    )
    print(done.stdout)  # pytest shows the seed and every moment where the test fails
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count(": equal") == KILLS
