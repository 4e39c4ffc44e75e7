"""The commands for a SLURM cluster, with stand-ins for SLURM's programs: one task on this machine.

They set the variables that SLURM sets, which Lightning and submitit read.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.linked_world import link_world
from tests.page_commands import finished, from_page, installed

pytestmark = pytest.mark.slow

# srun: the options in front of the program are left out
STAND_INS = {
    "srun": """
while [[ $1 == -* ]]; do
  case $1 in --output | --error) shift 2 ;; *) shift ;; esac
done
export SLURM_JOB_ID=${SLURM_JOB_ID:-7} SLURM_JOB_NAME=rmlr SLURM_JOB_NODELIST=localhost
export SLURM_NTASKS=1 SLURM_NTASKS_PER_NODE=1 SLURM_NNODES=1 SLURM_JOB_NUM_NODES=1
export SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0
exec "$@"
""",
    "sbatch": """
SLURM_JOB_ID=7 bash "$1" > job.log 2>&1 &
echo "Submitted batch job 7"
""",
    "sacct": """
printf 'JobID|State|NodeList\\n7|RUNNING|localhost\\n'
""",
}
TINY = [
    *("data.prepare.config.train=60", "+data.prepare.config.val=24"),
    *("+data.prepare.config.test=48", "data.prepare.config.seed=3", "data.num_workers=0"),
    *("trainer.max_epochs=1", "+trainer.limit_train_batches=1", "test=false"),
    *("trainer.check_val_every_n_epoch=1", "callbacks.panel=null", "callbacks.curves=null"),
    "report=false",
]


@pytest.fixture
def place(world, tmp_path) -> Path:
    """A folder with the benchmark and the programs."""
    (tmp_path / "data").mkdir()
    link_world(world, tmp_path / "data")
    (tmp_path / "bin").mkdir()
    for name, script in STAND_INS.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/usr/bin/env bash{script}")
        program.chmod(0o755)
    return tmp_path


def path_with(place: Path) -> str:
    """The programs, then those of the environment of the tests."""
    folders = [str(place / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return os.pathsep.join(folders)


def test_srun_starts_a_run(place):
    found = path_with(place)
    program, *words = from_page("srun")
    command = [shutil.which(program, path=found), *words, *TINY, "experiment=visual"]
    done = finished(command, place, PATH=found)
    assert done.returncode == 0, done.stderr
    assert (place / "outputs" / "visual" / "checkpoints" / "best.ckpt").is_file()


def test_a_sweep_is_a_slurm_job_per_run(place):
    pytest.importorskip("submitit", reason="needs rmlr-lightning[slurm]")
    program, *words = from_page("rmlr-train -m seed=0,1,2 hydra/launcher=submitit_slurm")
    command = [installed(program), *words, "seed=5", "experiment=visual", *TINY]
    command += ["hydra.sweep.dir=sweep", "hydra.callbacks.sweep.report=false"]
    done = finished(command, place, PATH=path_with(place))
    assert done.returncode == 0, done.stderr + (place / "job.log").read_text()
    (metrics,) = place.glob("sweep/*/metrics.json")
    assert json.loads(metrics.read_text())
    assert list(place.glob("sweep/.submitit/7/7_submission.sh"))
