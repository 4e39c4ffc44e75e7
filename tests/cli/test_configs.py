"""Every config composes, and every one that can run here runs, through the real entry point."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from rmlr_lightning.cli.train import main
from rmlr_lightning.runs.config import conf_dir
from tests.text.conftest import write_bert, write_clip

CONF = Path(conf_dir())
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
SMALL = [
    "data.num_workers=0",
    "data.batch_size=4",
    "data.eval_batch_size=4",
    "hydra.output_subdir=null",
]


def choices(group: str) -> list[str]:
    return [f"{group}={path.stem}" for path in sorted((CONF / group).glob("*.yaml"))]


GROUPS = [
    "data",
    "model",
    "model/remine",
    "model/ire",
    "model/irm",
    "model/detector",
    "loss",
    "metrics",
    "text",
    "optim",
    "trainer",
    "logger",
    "callbacks",
    "paths",
    "debug",
    "task",
    "unseen",
    "detector",
    "features",
]


BOXES = ["task=detection", "detector=tiny"]


def compose_train(overrides: list[str]):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=overrides)


@pytest.mark.parametrize(
    "override", [choice for group in GROUPS for choice in choices(group)] + choices("experiment")
)
def test_every_file_composes_and_resolves(override, tmp_path):
    company = {
        "task=detection": BOXES[1:],
        "metrics=vcoco": ["data=vcoco"],
        **{choice: BOXES for choice in choices("data") if choice.endswith("_boxes")},
    }
    cfg = compose_train([override, *company.get(override, []), f"paths.output={tmp_path}"])
    missing = {"model/detector=file": "model.detector.path"}.get(override)
    if missing is not None:
        assert OmegaConf.is_missing(cfg.model.detector, "path")
    else:
        assert OmegaConf.to_container(cfg, resolve=True)["seed"] == 0


def test_every_file_is_tried():
    tried = {group.split("/")[0] for group in GROUPS} | {"experiment", "sweep"}
    assert {path.name for path in CONF.iterdir() if path.is_dir()} == tried


@pytest.fixture
def rmlr_train(world, tmp_path, monkeypatch):
    """The console script on the small world, in this process."""
    boxes = world.parent / "synthetic_boxes"
    if not boxes.exists():
        boxes.symlink_to(world, target_is_directory=True)
    small = ["train=60", "+val=24", "+test=48", "seed=3"]

    def run(*overrides: str) -> Path:
        prepare = [
            f"{'+' * size.startswith('+')}data.prepare.config.{size.lstrip('+')}" for size in small
        ]
        argv = [
            "rmlr-train",
            f"paths.data={world.parent}",
            f"hydra.run.dir={tmp_path}",
            *prepare,
            *SMALL,
            *overrides,
        ]
        monkeypatch.setattr(sys, "argv", argv)
        main()
        return tmp_path

    return run


RUNNABLE = [
    name for name in EXPERIMENTS if not name.startswith(("hicodet", "vcoco", "custom"))
]  # those need images we do not have


# tiny models stand in for those of the hub
BERT, CLIP = (write_bert, "text.encoder.name"), (write_clip, "model.remine.name")
OF_THE_HUB = {"mpnet": BERT, "unseen_mpnet": BERT, "clip": CLIP, "model/remine=clip": CLIP}


def of_the_hub(name: str, folder: Path) -> list[str]:
    """Overrides of a choice that needs a model of the hub."""
    if name == "model/remine=resnet50":
        return ["model.remine.pretrained=false"]
    if name not in OF_THE_HUB:
        return []
    write, option = OF_THE_HUB[name]
    return [f"{option}={write(folder)}"]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", RUNNABLE)
def test_every_experiment_runs(experiment, rmlr_train, tmp_path_factory):
    overrides = of_the_hub(experiment, tmp_path_factory.mktemp("model"))
    out = rmlr_train(f"experiment={experiment}", *overrides, "debug=fast")
    assert (out / "config.yaml").is_file()


PARTS = [
    *choices("model/remine"),
    "model/ire=mlp",
    "model/irm=linear",
    "model=upt",
    "callbacks=ema",
]


@pytest.mark.slow
@pytest.mark.parametrize("override", PARTS)
def test_every_part_runs(override, rmlr_train, tmp_path_factory):
    overrides = of_the_hub(override, tmp_path_factory.mktemp("model"))
    out = rmlr_train(override, *overrides, "debug=fast")
    assert (out / "config.yaml").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("override", choices("detector"))
def test_every_detector_trains(override, rmlr_train):
    out = rmlr_train("experiment=detector", override, "debug=fast")
    assert (out / "detector.safetensors").is_file()


@pytest.mark.slow
def test_two_processes_train_together(world, tmp_path):
    """DDP on the CPU (gloo), through the console script: its children start it again."""
    overrides = [
        "trainer=ddp",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "debug=fast",
        "model/remine=neck",
    ]
    prepare = [
        f"{plus}data.prepare.config.{size}"
        for plus, size in (("", "train=60"), ("+", "val=24"), ("+", "test=48"), ("", "seed=3"))
    ]
    command = [
        sys.executable,
        "-m",
        "rmlr_lightning.cli.train",
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}",
    ]
    done = subprocess.run(
        [*command, *prepare, *SMALL, *overrides], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "non-rare" in done.stdout
    assert "find_unused_parameters" not in done.stderr  # advice where all weights are used


@pytest.mark.parametrize(
    ("config", "program"),
    [("train", "rmlr-train"), ("evaluate", "rmlr-eval"), ("extract", "rmlr-extract")],
)
def test_the_help_begins_with_what_the_program_does(config, program):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(config, return_hydra_config=True)
    assert cfg.hydra.help.header.startswith(f"{program} ")
