"""Released checkpoints of UPT and PViC: recognised, configured as published, evaluated."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from rmlr_lightning.cli import evaluate, export, predict
from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.detector import load_detector
from rmlr_lightning.models.upt import Competitive, UnaryPairwise
from rmlr_lightning.runs.released import load_released, released_config, released_head_of
from rmlr_lightning.vocabulary import hicodet
from tests.annotations.make_hicodet import make_hicodet
from tests.detr_checkpoints import official_shapes, seeded
from tests.page_commands import from_page
from tests.recorded_heads import RecordedHead

CLASSIFIERS = {"upt": "interaction_head.box_pair_predictor", "pvic": "binary_classifier"}
DETECTOR = {"detector.class_embed.weight": torch.zeros(81, 256)}


def written(path, kind, verbs=117, **more):
    """A checkpoint of the head's structure; its detector has one weight."""
    state = RecordedHead(kind).zeros() | DETECTOR | more
    for part in ("weight", "bias"):
        key = f"{CLASSIFIERS[kind]}.{part}"
        state[key] = state[key][:1].expand(verbs, *state[key].shape[1:])
    torch.save({"epoch": 20, "model_state_dict": state, "optim_state_dict": {"state": {}}}, path)
    return path


@pytest.mark.parametrize(
    ("kind", "verbs", "data", "clamp"),
    [("upt", 117, "hicodet", "never"), ("pvic", 24, "vcoco", "after_nms")],
)
def test_model_and_data_set_follow_from_the_weights(kind, verbs, data, clamp, tmp_path):
    path = written(tmp_path / "any_name.pt", kind, verbs)
    head = released_head_of(path)
    assert (head.kind, head.verbs) == (kind, verbs)
    config = released_config(head, path)
    assert config.model.detector.path == str(path) and config.model.detector.dilation is False
    assert config.model.selection.clamp == clamp and config.model.power == 2.8
    # V-COCO has no verb for nine objects, whose pairs the other pairs attend to
    assert config.model.selection.pair_all
    assert config.data.test._target_.endswith(f"{data}_dataset")
    assert list(config.metrics) and config.features.mode == "online"


def test_the_dilation_of_a_larger_backbone_is_left_to_the_user(tmp_path):
    block = {"detector.backbone.0.body.layer3.22.conv1.weight": torch.zeros(1)}
    path = written(tmp_path / "r101.pt", "upt", **block)
    assert released_config(released_head_of(path), path).model.detector.get("dilation") is None


def test_a_larger_backbone_needs_the_option_that_its_weights_do_not_show(tmp_path):
    block = {"detector.backbone.0.body.layer3.22.conv1.weight": torch.zeros(1)}
    path = written(tmp_path / "r101.pt", "upt", **block)
    with pytest.raises(UserError, match=r"r101.pt: .*\+model.detector.dilation=true .*--dilation"):
        load_detector(path)


def test_other_numbers_of_verbs_are_refused(tmp_path):
    path = written(tmp_path / "best.pt", "upt", verbs=29)
    with pytest.raises(UserError, match="classifies 29 verbs"):
        released_config(released_head_of(path), path)


def test_a_detector_alone_is_no_model(tmp_path):
    torch.save({"model_state_dict": {"class_embed.bias": torch.zeros(81)}}, tmp_path / "detr.pth")
    with pytest.raises(UserError, match="no weights under detector"):
        released_head_of(tmp_path / "detr.pth")


def test_other_files_are_left_to_others(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "last.ckpt")
    assert released_head_of(tmp_path / "last.ckpt") is None
    assert released_head_of(tmp_path / "missing.ckpt") is None


def test_a_head_of_other_sizes_is_refused_with_both(tmp_path):
    path = written(tmp_path / "best.pt", "upt")
    model = torch.nn.Module()
    model.ire = UnaryPairwise(256, 2048, 256, representation=256)
    model.irm = Competitive(512, hicodet())
    with pytest.raises(UserError, match=r"ire.context.appearance.bias .* instead of"):
        load_released(model, released_head_of(path), path)


def whole(path, kind, depth=50):
    """A checkpoint with DETR and head, as it is released."""
    detector = seeded(official_shapes(depth, outputs=81))
    # such that queries differ in class, and most are people
    detector["query_embed.weight"] *= 8
    for part in ("weight", "bias"):
        detector[f"class_embed.{part}"][[0, 33]] = detector[f"class_embed.{part}"][[33, 0]]
    state = {f"detector.{key}": value for key, value in detector.items()}
    torch.save({"model_state_dict": state | RecordedHead(kind).state()}, path)
    return path


def named(kind, words):
    """A command of the pages, with the model of a kind."""
    return [word.replace("upt-", f"{kind}-") for word in words]


@pytest.mark.slow
def test_a_larger_backbone_is_saved_with_the_option_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, name, *options = from_page("rmlr-export upt-r101")
    whole(tmp_path / name, "upt", depth=101)
    export.main([name, *options])
    assert load_detector(tmp_path / "model").model.detector.stride == 16  # not dilated: 32


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["upt", "pvic"])
def test_a_whole_model_is_evaluated_used_and_saved_by_one_command_each(kind, tmp_path, monkeypatch):
    path = whole(tmp_path / f"{kind}-r50-hicodet.pt", kind)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "FOLDER" / "hico_20160224_det"
    (folder / "images" / "test2015").mkdir(parents=True)
    make_hicodet(folder, images=3)
    noise = np.random.default_rng(0)
    for name in json.loads((folder / "instances_test2015.json").read_text())["filenames"]:
        pixels = noise.integers(0, 256, (480, 640, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / "test2015" / name)

    found, metrics = tmp_path / "found.npz", tmp_path / "metrics.json"
    argv = named(kind, from_page("rmlr-eval checkpoint=upt-r50-hicodet.pt"))[1:]
    argv += [f"export={found}", f"out={metrics}", "trainer.accelerator=cpu"]
    argv += ["data=hicodet", "data.num_workers=0", "data.test.resize.shortest=160"]
    monkeypatch.setattr(sys, "argv", ["rmlr-eval", *argv])
    evaluate.main()
    assert 0 <= json.loads(metrics.read_text())["test/map_full"] <= 1
    with np.load(found) as file:
        assert len(file["scores"]) > 0 and np.isfinite(file["scores"]).all()

    export.main([str(path), "--format", "folder", "--out", str(tmp_path / "saved")])
    image = str(next((folder / "images" / "test2015").iterdir()))
    shutil.copy(image, "image.jpg")
    typed = named(kind, from_page("rmlr-predict image.jpg --checkpoint upt-r50"))[1:]
    predict.main(typed)
    predict.main(["image.jpg", "--checkpoint", "saved", "--out", "second"])
    first, second = (tmp_path / out / "image.json" for out in ("predictions", "second"))
    assert json.loads(first.read_text()) == json.loads(second.read_text())
    assert json.loads(first.read_text())["triplets"]
    # nothing is made up about a training that is not known
    card = (tmp_path / "saved" / "README.md").read_text()
    assert f"released checkpoint {path.name}" in card and "seed" not in card
