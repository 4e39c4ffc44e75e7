"""Every published setting with every model, and what each of its configs sets and says."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rmlr_lightning.runs.config import conf_dir, register_resolvers

FOLDER = Path(conf_dir()) / "experiment"
SETTINGS = ("hicodet", "vcoco")
CONFIGS = sorted(
    path.stem
    for path in FOLDER.glob("*.yaml")
    if re.fullmatch(r"(hicodet|vcoco)_(rmlr|upt|pvic)_\w+", path.stem)
)
MODELS = sorted(path.stem for path in (Path(conf_dir()) / "model").glob("*.yaml"))
STAGES = ("remine", "ire", "irm", "selection")


def composed(*overrides: str):
    register_resolvers()
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@pytest.fixture(scope="module")
def alone():
    """The model of `model=NAME` in an empty command line, by name."""
    return {name: composed(f"model={name}").model for name in MODELS}


@pytest.mark.parametrize(
    ("experiment", "model"),
    [(experiment, model) for experiment in (*SETTINGS, "hicodet_rmlr_r50") for model in MODELS]
    + [(experiment, "upt" if "rmlr" in experiment else "rmlr") for experiment in CONFIGS],
)
def test_any_config_composes_any_model(experiment, model, alone):
    cfg = composed(f"experiment={experiment}", f"model={model}")
    for stage in STAGES:
        assert cfg.model[stage] == alone[model][stage], stage
    assert OmegaConf.select(cfg, "data.test._target_").endswith(
        f"{experiment.split('_')[0]}_dataset"
    )
    assert "backbone" in cfg.model.detector or "name" in cfg.model.detector


@pytest.mark.parametrize("experiment", CONFIGS)
def test_a_config_has_the_model_of_its_name(experiment, alone):
    name = experiment.split("_")[1]
    cfg = composed(f"experiment={experiment}")
    assert cfg.name == experiment
    for stage in STAGES:
        assert cfg.model[stage] == alone["rmlr_large" if name == "rmlr" else name][stage]
    assert (
        cfg.model.detector
        == composed(f"model/detector=detr_{experiment.split('_')[2]}").model.detector
    )


@pytest.mark.parametrize("remine", ["neck", "none", "c5"])
def test_re_mining_is_replaced_as_a_whole(remine):
    cfg = composed("experiment=hicodet_rmlr_r50", f"model/remine={remine}")
    assert cfg.model.remine == composed(f"model/remine={remine}").model.remine


def test_experiments_of_a_list_add_up_and_the_last_wins(alone):
    for experiments in ("hicodet,upt", "upt,hicodet", "hicodet_rmlr_r50,upt"):
        cfg = composed(f"experiment=[{experiments}]")
        assert cfg.model.ire == alone["upt"].ire and "hicodet" in cfg.data.test._target_
    assert composed("experiment=[upt,hicodet]").optim.lr == 1e-4


@pytest.mark.parametrize("experiment", CONFIGS)
def test_configs_are_as_published(experiment):
    cfg = composed(f"experiment={experiment}")
    is_pvic = "pvic" in experiment
    assert (cfg.trainer.max_epochs, cfg.data.batch_size) == (30 if is_pvic else 20, 16)
    assert (cfg.optim.lr, cfg.optim.weight_decay, cfg.optim.warmup) == (1e-4, 1e-4, 0)
    assert cfg.trainer.gradient_clip_val == 0.1
    assert cfg.features.mode == "online" and cfg.model.power == 2.8

    schedule = instantiate(cfg.optim.schedule)
    epochs = cfg.trainer.max_epochs
    rates = [round(schedule(epoch / epochs), 6) for epoch in range(epochs)]
    assert rates == ([1] * 20 + [0.2] * 10 if is_pvic else [1] * 10 + [0.1] * 10)

    selection = cfg.model.selection
    assert (selection.min_instances, selection.max_instances, selection.nms_iou) == (3, 15, 0.5)
    assert selection.score_threshold == (0.05 if is_pvic else 0.2)

    names = [part._target_.split(".")[-1] for part in cfg.data.train.augment.transforms]
    assert names == ["RandomHorizontalFlip", "ColorJitter", "RandomApply"]
    assert list(cfg.data.train.random_resize.shortest) == list(range(480, 801, 32))


@pytest.mark.parametrize("experiment", CONFIGS)
def test_a_config_opens_with_its_command_target_and_cost(experiment):
    text = (FOLDER / f"{experiment}.yaml").read_text(encoding="utf-8")
    header = text.split("defaults:")[0].replace("\\\n#", "")
    program, *overrides = shlex.split(re.search(r"^# +(rmlr-train .*)$", header, re.M)[1])
    assert program == "rmlr-train" and composed(*overrides).name == experiment
    assert re.search(r"^# Target, as published: .*\d\d\.\d.* Not run here\.$", header, re.M)
    assert re.search(r"^# Cost, computed \(hicodet\.yaml\): .* on one H200", header, re.M)
