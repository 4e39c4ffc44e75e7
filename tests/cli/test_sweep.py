"""Every sweep composes, can be resumed, and has the rows that its report compares."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.sweep_members import members_of

CONF = Path(conf_dir())
SWEEPS = sorted(path.stem for path in (CONF / "sweep").glob("*.yaml"))


def experiments(sweep: str) -> list[str]:
    params = OmegaConf.load(CONF / "sweep" / f"{sweep}.yaml").hydra.sweeper.params
    return [name.strip() for name in params.experiment.split(",")]


def composed(sweep: str, *overrides: str) -> DictConfig:
    if sweep == "optuna" and find_spec("optuna") is None:
        pytest.skip("needs rmlr-lightning[optuna]")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [f"+sweep={sweep}", *overrides], return_hydra_config=True)


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_sweep_composes_and_resumes(sweep):
    cfg = composed(sweep)
    assert cfg.hydra.mode == RunMode.MULTIRUN
    assert cfg.resume == "auto"


@pytest.mark.parametrize(
    ("sweep", "name"), [(sweep, name) for sweep in SWEEPS for name in experiments(sweep)]
)
def test_every_row_of_a_sweep_is_an_experiment_that_bears_its_name(sweep, name):
    """rmlr-report tells rows apart by `name`."""
    assert composed(sweep, f"experiment={name}").name == name


def test_make_sweep_has_eight_rows_with_two_seeds_and_starts_nothing_of_its_own():
    """`make sweep` is `make ablation` with another preset: no second recipe."""
    command = ["make", "-n", "-o", "setup", "sweep", "ARGS=seed=7"]
    recipe = subprocess.run(command, cwd=CONF.parent, capture_output=True, text=True, check=True)
    assert '+sweep=short "hydra.sweep.dir=multirun/short" seed=7' in recipe.stdout
    assert recipe.stdout.count("rmlr-train") == 1 and "rmlr-report wandb" in recipe.stdout
    params = OmegaConf.load(CONF / "sweep" / "short.yaml").hydra.sweeper.params
    assert len(members_of(params, [])) == 16


def test_make_reports_each_sweep_against_a_row_that_it_has():
    makefile = (CONF.parent / "Makefile").read_text()
    options = dict(re.findall(r"^REPORT_(\w+) := (.*)$", makefile, re.MULTILINE))
    assert sorted(options) == SWEEPS
    for sweep, option in options.items():
        assert option == "--split val" or option.removeprefix("--baseline ") in experiments(sweep)


def test_the_sweep_of_detectors_takes_rows_of_ones_own():
    """As its file has the command: both rows, with three seeds, in folders of the same sweep."""
    text = (CONF / "sweep" / "detectors.yaml").read_text()
    typed = re.search(r'ARGS="(experiment=rmlr .*)"', text)[1].split()
    params = OmegaConf.load(CONF / "sweep" / "detectors.yaml").hydra.sweeper.params
    assert len(members_of(params, typed)) == 3 * 2

    words = [word.replace("A,B", "/data/detr.pth") for word in typed]
    cfg = composed("detectors", "seed=1", *words)
    assert cfg.name == "own" and cfg.model.detector.path == "/data/detr.pth"
    assert cfg.model.detector._target_.endswith("open_detector")
    folder = "experiment=rmlr,model.detector.path=_data_detr.pth,model_detector=file,seed=1"
    assert cfg.hydra.sweep.dir == "multirun/detectors"
    assert sorted(cfg.hydra.sweep.subdir.split(",")) == sorted(folder.split(","))


def test_the_sweep_of_detectors_needs_no_download():
    rows = [composed("detectors", f"experiment={name}") for name in experiments("detectors")]
    files = {Path(cfg.model.detector.path) for cfg in rows}
    assert [path.name for path in files if path.is_file()] == ["detector_synthetic.safetensors"]
    boxes = [cfg.data.test.get("external") for cfg in rows]
    assert boxes == [None, None, None, "shifted", "truth"]
