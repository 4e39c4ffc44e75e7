"""rmlr-extract checkpoint=FILE reads what the checkpoint was trained on."""

import pytest
from hydra import compose, initialize_config_dir

from rmlr_lightning.runs import features
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.extraction import of_checkpoint, with_cache
from tests.untrained import untrained_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Trained on data in folders of its own."""
    run = tmp_path_factory.mktemp("run")
    return untrained_checkpoint(run, "data=custom", "paths.data=sets", "paths.custom=welding")


@pytest.fixture
def composed(checkpoint, monkeypatch):
    """The config for the checkpoint, and for what the user types after it."""

    def config(*typed: str):
        monkeypatch.setattr(
            features,
            "_typed_overrides",
            lambda *groups: [item for item in typed if item.lstrip("+").startswith(groups)],
        )
        with initialize_config_dir(conf_dir(), version_base="1.3"):
            return of_checkpoint(compose("extract", [f"checkpoint={checkpoint}", *typed]))

    return config


def test_folders_are_those_of_training(composed):
    cfg = composed("splits=[test]")
    assert cfg.data.train.annotations == "welding/rmlr/train.json"
    assert cfg.features.path == "sets/features" and cfg.splits == ["test"]


def test_a_folder_on_the_command_line_wins(composed):
    cfg = composed("paths.custom=moved", "+data.test.resize.shortest=96", "features.dtype=fp32")
    assert cfg.data.train.annotations == "moved/rmlr/train.json"
    assert cfg.data.test.resize.shortest == 96 and cfg.features.dtype == "fp32"
    assert cfg.features.path == "sets/features"


def test_a_data_set_on_the_command_line_takes_the_place_of_the_trained_one(composed):
    cfg = composed("data=vcoco", "verify=true")
    assert cfg.data.test._target_.endswith("vcoco_dataset") and "vocabulary" not in cfg.data.test
    assert cfg.verify


def test_an_experiment_that_reads_images_online_is_cached_by_the_same_arguments():
    arguments = ["experiment=hicodet_upt_r50", "paths.data=sets", "model.detector.path=detr.pth"]
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = with_cache(compose("extract", arguments))
        read = compose("train", [*arguments, "features=cached"])
    assert cfg.features == read.features and cfg.features.path == "sets/features"


def test_online_features_that_are_typed_are_left_for_the_refusal(monkeypatch):
    monkeypatch.setattr(features, "_typed_overrides", lambda *groups: ["features=online"])
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("extract", ["features=online"])
    assert with_cache(cfg) is cfg
