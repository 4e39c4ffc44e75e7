"""A model with a frozen network beside its detector is saved complete, as any other."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from rmlr_lightning import HOIDetector
from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.saved_model import rounded
from rmlr_lightning.models.pixel_network import timm_network
from rmlr_lightning.models.remine_backbone import Backbone
from tests.text.conftest import write_clip
from tests.untrained import untrained_checkpoint

SMALL = {"depth": 1, "embed_dim": 12, "num_heads": 2, "img_size": 32}
VIT = ["model/remine=backbone", "model.remine.name=vit_tiny_patch16_224", "model.remine.stride=16"]
VIT += [f"+model.remine.{key}={value}" for key, value in SMALL.items()]


def clip_checkpoint(folder: Path, *overrides: str) -> Path:
    """As of `experiment=clip`, with text embeddings of random values."""
    name = write_clip(folder / "clip")
    options = ["experiment=clip", f"model.remine.name={name}", "model.irm.text_dim=12"]
    path = untrained_checkpoint(folder / "run", *options, *overrides)
    checkpoint = torch.load(path)
    torch.manual_seed(0)
    checkpoint["state_dict"]["model.irm.phrases"].normal_()
    torch.save(checkpoint, path)
    return path


def timm_checkpoint(folder: Path, *overrides: str) -> Path:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(1)
    state = timm.create_model("vit_tiny_patch16_224", num_classes=0, **SMALL).state_dict()
    weights = folder / "network.safetensors"
    save_file(state, weights)
    options = [*VIT, f"model.remine.weights={weights}", "model.remine.frozen=true"]
    return untrained_checkpoint(folder / "run", *options, *overrides)


@pytest.fixture(scope="module", params=[clip_checkpoint, timm_checkpoint])
def detector_and_folder(request, tmp_path_factory):
    """The detector of a checkpoint, and its folder; the network's own file is gone."""
    files = tmp_path_factory.mktemp("files")
    checkpoint = request.param(files)
    detector = HOIDetector.from_checkpoint(checkpoint)
    folder = tmp_path_factory.mktemp("saved") / "model"
    detector.save_pretrained(folder)
    shutil.rmtree(files)
    return detector, folder


def test_the_folder_gives_exactly_the_predictions_of_the_checkpoint(detector_and_folder, image):
    detector, folder = detector_and_folder
    expected = detector.predict(image).triplets
    read = HOIDetector.from_pretrained(folder)
    assert len(expected) > 10 and read.predict(image).triplets == expected


def test_saved_again_it_is_the_same(detector_and_folder, tmp_path):
    _, folder = detector_and_folder
    HOIDetector.from_pretrained(folder).save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_folder_names_the_network_and_no_file(detector_and_folder):
    detector, folder = detector_and_folder
    config = json.loads((folder / "config.json").read_text())
    network = detector.model.detector.network
    assert config["detector"]["second_network"] == network.fingerprint()
    assert f"the frozen network {network.name}" in (folder / "README.md").read_text()
    remine = config["model"]["remine"]
    assert remine.keys() == {"_target_", "_partial_", "dim", "frozen", "network"}
    assert "weights" not in remine["network"] and "/" not in remine["network"]["name"]


def test_a_trained_network_is_saved_like_a_frozen_one(tmp_path, image):
    """Its weights are those of training; neither its file nor its hub id is read again."""
    path = clip_checkpoint(tmp_path, "model.remine.frozen=false")
    detector = HOIDetector.from_checkpoint(path)
    detector.save_pretrained(tmp_path / "model")
    shutil.rmtree(tmp_path / "clip")
    read = HOIDetector.from_pretrained(tmp_path / "model")
    assert read.predict(image).triplets == detector.predict(image).triplets


def test_rounded_and_with_the_shipped_detector_the_network_is_still_there(
    detector_and_folder, tmp_path
):
    _, folder = detector_and_folder
    saved = rounded(HOIDetector.from_pretrained(folder).saved)
    HOIDetector(saved._replace(shipped_detector=True)).save_pretrained(tmp_path / "light")
    state = load_file(tmp_path / "light" / "model.safetensors")
    network = {name: value for name, value in state.items() if name.startswith("detector.")}
    assert network and all(name.startswith("detector.network.") for name in network)
    assert {value.dtype for value in network.values() if value.ndim > 1} == {torch.float16}
    again = HOIDetector.from_pretrained(tmp_path / "light").model.detector
    assert again.fingerprint() == saved.model.detector.fingerprint()
    card = (tmp_path / "light" / "README.md").read_text()
    assert "the frozen network's matrices are rounded" in card


@pytest.mark.fault
def test_other_weights_or_maps_of_the_network_are_refused(detector_and_folder, tmp_path):
    _, folder = detector_and_folder
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config["detector"]["second_network"]["mean"] = [0.0, 0.0, 0.0]
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="frozen network beside the detector is not the saved one"):
        HOIDetector.from_pretrained(copy)

    shutil.copy(folder / "config.json", copy)
    state = load_file(copy / "model.safetensors")
    name = next(name for name in state if name.startswith("detector.network."))
    save_file(state | {name: state[name] + 1}, copy / "model.safetensors")
    with pytest.raises(UserError, match="frozen network beside the detector is not the saved one"):
        HOIDetector.from_pretrained(copy)
    del state[name]
    save_file(state, copy / "model.safetensors")
    with pytest.raises(UserError, match=r"weights that differ: 1, such as detector\.network\."):
        HOIDetector.from_pretrained(copy)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "hf-hub:someone/network"}, "not of timm's own networks"),
        ({"pretrained": True}, "does not take an option"),
        ({"weights": "x.pth"}, "does not take an option"),
        ({"checkpoint_path": "x.pth"}, "has the option checkpoint_path"),
        ({"_target_": "rmlr_lightning.models.pixel_network.timm_network"}, "which is not a module"),
    ],
)
def test_a_config_of_a_stranger_reads_no_file(values, message, detector_and_folder, tmp_path):
    _, folder = detector_and_folder
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    structure = {"_target_": "rmlr_lightning.models.pixel_network.timm_structure"}
    structure |= {"name": "resnet10t", "_partial_": True, "_convert_": "all"}
    config["model"]["remine"]["network"] = structure | values
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=message):
        HOIDetector.from_pretrained(copy)


@pytest.mark.fault
def test_a_network_that_timm_describes_elsewhere_is_refused_when_saved():
    backbone = Backbone(4, network=partial(timm_network, "resnet10t"), frozen=True)
    backbone.structure = None  # as of model.remine.name=hf-hub:owner/name
    with pytest.raises(UserError, match=r"model\.remine\.name: .*timm's own name"):
        backbone.parts()
