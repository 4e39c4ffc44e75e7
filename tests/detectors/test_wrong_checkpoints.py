"""Files that are no detector of ours: each is refused in one line that names the reason."""

import os
import pickle

import pytest
import torch

from rmlr_lightning.detectors.open import open_detector
from rmlr_lightning.errors import UserError
from tests.detr_checkpoints import official_shapes, zeros

pytestmark = pytest.mark.fault


class Executes:
    """A pickle that runs a command when it is loaded without care."""

    def __reduce__(self):
        return os.system, ("touch executed",)


def official(**changed) -> dict:
    return zeros(official_shapes() | changed)


def without(part: str) -> dict:
    return {key: value for key, value in official().items() if part not in key}


WRONG = {
    # not weights by name at all
    "an empty dictionary": ({}, "no weights by name"),
    "no dictionary": ([1, 2], "holds a list"),
    "code": ({"model": official(), "hook": Executes()}, r"\.system, which could run code"),
    "a checkpoint of a run": (
        {"pytorch-lightning_version": "2.6.0", "state_dict": official()},
        "export=FILE` writes a detector",
    ),
    # weights, but not of a DETR
    "another family": (
        official() | {"transformer.level_embed": torch.zeros(4, 256)},
        "a Deformable DETR or H-DETR",
    ),
    "a ResNet": (
        {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.weight": torch.zeros(10, 8)},
        "no query_embed.weight, .* its keys are conv1.weight, fc.weight",
    ),
    # more than a DETR has
    "a panoptic head": (
        official() | {"mask_head.lay1.weight": torch.zeros(264, 264, 3, 3)},
        "unexpected: mask_head.lay1.weight",
    ),
    "normalisation before attention": (
        official() | {"transformer.encoder.norm.weight": torch.zeros(256)},
        "unexpected: transformer.encoder.norm.weight",
    ),
    # heads and layers of other sizes
    "a head of unknown classes": (
        official() | zeros({"class_embed.weight": (31, 256), "class_embed.bias": (31,)}),
        "has 31 rows; .* list the 30 names in model.detector.objects",
    ),
    "a head of another width": (
        official(**{"class_embed.weight": (92, 128)}),
        r"of another shape or type: class_embed.weight \(92, 128\)",
    ),
    "projections of another width": (
        official(**{"transformer.encoder.layers.3.self_attn.in_proj_weight": (512, 256)}),
        r"transformer.encoder.layers.3.self_attn.in_proj_weight \(512, 256\)",
    ),
    "another width": (official(**{"query_embed.weight": (100, 250)}), "has width 250"),
    "values of a training that diverged": (
        official() | {"class_embed.bias": torch.full((92,), torch.nan)},
        "not finite: class_embed.bias",
    ),
    "sparse weights": (
        {"model": {"class_embed.bias": torch.zeros(92).to_sparse()}},
        "no weights by name",
    ),
    "keys that are no names": ({"model": {0: torch.zeros(2)}}, "no weights by name"),
    "whole numbers": (
        official() | {"class_embed.bias": torch.zeros(92, dtype=torch.int32)},
        r"of another shape or type: class_embed.bias \(92,\)",
    ),
    "no queries": (official(**{"query_embed.weight": (0, 256)}), "query_embed.weight has no rows"),
    # incomplete; without its last layer it would be a smaller network
    "no class head": (without("class_embed"), "no class_embed.weight"),
    "no box head": (without("bbox_embed"), r"missing: bbox_embed.layers.0.bias, .* \(6\)"),
    "no encoder layer 3": (without("encoder.layers.3."), "missing: transformer.encoder.layers.3."),
    "no encoder layer 5": (without("encoder.layers.5."), "5 encoder and 6 decoder layers instead"),
    "another backbone": (without("layer3.5."), r"\(3, 4, 5, 3\) bottleneck blocks"),
}


@pytest.mark.parametrize("content", WRONG)
def test_a_wrong_checkpoint_is_refused_with_the_reason(content, tmp_path, monkeypatch):
    # where the command of `Executes` would leave its file
    monkeypatch.chdir(tmp_path)
    saved, message = WRONG[content]
    torch.save(saved, tmp_path / "d.pth")
    with pytest.raises(UserError, match=message) as caught:
        open_detector(tmp_path / "d.pth", dilation=False)
    assert str(tmp_path / "d.pth") in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["d.pth", "d.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", "half"])
def test_damaged_files_are_refused(name, content, tmp_path):
    if content == "half":
        torch.save({"model": official()}, tmp_path / "whole.pth")
        content = (tmp_path / "whole.pth").read_bytes()[:-5000]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="not a readable") as caught:
        open_detector(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_pickle_that_is_no_checkpoint_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.pth").write_bytes(pickle.dumps(Executes()))
    with pytest.raises(UserError, match=r"not a readable .* a file of another kind"):
        open_detector(tmp_path / "d.pth")
    assert not (tmp_path / "executed").exists()


def test_a_web_page_in_place_of_a_file_is_recognised(tmp_path):
    (tmp_path / "d.pth").write_text("\n<!DOCTYPE html><title>Google Drive - Virus scan warning")
    with pytest.raises(UserError, match="it is a web page: download the file itself"):
        open_detector(tmp_path / "d.pth")


def test_a_missing_file_names_the_way_to_hub_ids(tmp_path):
    with pytest.raises(UserError, match=r"no such detector weights; .*model/detector=hub"):
        open_detector(tmp_path / "facebook" / "detr-resnet-50")


def test_unknown_dilation_is_not_guessed(tmp_path):
    torch.save({"model": official()}, tmp_path / "d.pth")
    with pytest.raises(UserError, match="use model/detector=detr_r50 or detr_dc5_r50"):
        open_detector(tmp_path / "d.pth")


def test_a_configuration_of_another_backbone_is_refused(tmp_path):
    torch.save({"model": official()}, tmp_path / "d.pth")
    with pytest.raises(UserError, match="a detr with backbone resnet50, not a detr with resnet101"):
        open_detector(tmp_path / "d.pth", backbone="resnet101", dilation=False)
