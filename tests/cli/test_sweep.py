"""Every sweep composes, can be resumed, and has the rows that its report compares."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.types import RunMode
from omegaconf import OmegaConf

from rmlr_lightning.runs.config import conf_dir

CONF = Path(conf_dir())
SWEEPS = sorted(path.stem for path in (CONF / "sweep").glob("*.yaml"))


def experiments(sweep: str) -> list[str]:
    params = OmegaConf.load(CONF / "sweep" / f"{sweep}.yaml").hydra.sweeper.params
    return [name.strip() for name in params.experiment.split(",")]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_sweep_composes_and_resumes(sweep):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=[f"+sweep={sweep}"], return_hydra_config=True)
    assert cfg.hydra.mode == RunMode.MULTIRUN
    assert cfg.resume == "auto"


@pytest.mark.parametrize(
    ("sweep", "name"), [(sweep, name) for sweep in SWEEPS for name in experiments(sweep)]
)
def test_every_row_of_a_sweep_is_an_experiment_that_bears_its_name(sweep, name):
    """rmlr-report tells rows apart by `name`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("train", overrides=[f"+sweep={sweep}", f"experiment={name}"]).name == name


def test_make_reports_each_sweep_against_a_row_that_it_has():
    makefile = (CONF.parent / "Makefile").read_text()
    options = dict(re.findall(r"^REPORT_(\w+) := (.*)$", makefile, re.MULTILINE))
    assert sorted(options) == SWEEPS
    for sweep, option in options.items():
        assert option == "--split val" or option.removeprefix("--baseline ") in experiments(sweep)
