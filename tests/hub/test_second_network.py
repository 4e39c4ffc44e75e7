"""A model with a frozen network beside its detector is saved complete, as any other."""

import json
import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from rmlr_lightning import HOIDetector
from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.saved_model import rounded
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
