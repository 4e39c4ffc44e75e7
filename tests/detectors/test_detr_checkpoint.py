"""DETR checkpoints of the official structure: every layout opens, and gives the original's outputs.

`original_detr.safetensors` holds what facebookresearch/detr (commit 29901c5) computes in float64
from the weights of `tests.detr_checkpoints` on a padded batch of two images: boxes, scores and
class rows of all queries, every tenth decoder state, and every sixteenth channel of the encoder's
output. "r50" and "dc5" have a head of 92 rows, "fine" is R50 with one of 81.
"""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from rmlr_lightning.detectors import detr_checkpoint
from rmlr_lightning.detectors.class_names import COCO_91
from rmlr_lightning.detectors.detr_checkpoint import load_detr
from rmlr_lightning.detectors.open import open_detector
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import sha256_file
from rmlr_lightning.types import Images, Scene
from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_OBJECTS
from tests.detr_checkpoints import official_shapes, seeded, zeros

ORIGINAL = load_file(Path(__file__).parents[1] / "data" / "original_detr.safetensors")


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Official keys and shapes of R50, the same with and without dilation."""
    return seeded(official_shapes())


def padded_batch() -> Images:
    """Two images of 128 x 160 and 96 x 128 pixels, of coloured squares of 16 pixels."""
    stream = np.random.RandomState(0)
    pixels = torch.zeros(2, 3, 128, 160)
    mask = torch.zeros(2, 128, 160, dtype=torch.bool)
    for index, (height, width) in enumerate([(128, 160), (96, 128)]):
        squares = torch.from_numpy(stream.random_sample((1, 3, height // 16, width // 16))).float()
        pixels[index, :, :height, :width] = F.interpolate(squares, scale_factor=16)[0]
        mask[index, :height, :width] = True
    return Images(pixels, mask, torch.tensor([[128, 160], [96, 128]]))


def as_in_training(detector: TransformersDetector, images: Images) -> Scene:
    """The outputs for a padded batch as one, as the original computes them."""
    with torch.no_grad():
        return detector.to_scene(detector.run_network(images), images)


@pytest.mark.parametrize(("name", "dilation"), [("r50", False), ("dc5", True)])
def test_outputs_are_those_of_the_original_implementation(name, dilation, weights, tmp_path):
    torch.save({"model": weights}, tmp_path / "detr.pth")
    detector = open_detector(tmp_path / "detr.pth", dilation=dilation)
    scene = as_in_training(detector, padded_batch())
    entities = scene.entities

    # rows that are gaps of COCO's ids are never output here, so only the others are compared
    rows = ORIGINAL[f"{name}.rows"].int()
    used = torch.tensor([class_name is not None for class_name in COCO_91])[rows]
    assert used.float().mean() > 0.3 and rows.unique().numel() > 3
    torch.testing.assert_close(
        entities.scores[used], ORIGINAL[f"{name}.scores"][used].float(), atol=1e-5, rtol=0
    )
    found = [detector.objects[label] for label in entities.labels[used].tolist()]
    assert found == [COCO_91[row] for row in rows[used].tolist()]

    # of every query, whatever its score
    for ours, key in (
        (entities.boxes, "boxes"),
        (entities.tokens[:, ::10], "tokens"),
        (scene.memory[:, ::16], "memory"),
    ):
        theirs = ORIGINAL[f"{name}.{key}"].float()
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert detector.stride == (16 if dilation else 32)

    # The detector runs each image without padding. The first one has none in the original, too.
    alone = detector(padded_batch()).entities
    for ours, key in ((alone.boxes[0], "boxes"), (alone.tokens[0, ::10], "tokens")):
        theirs = ORIGINAL[f"{name}.{key}"][0].float()
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_a_head_of_81_rows_gives_the_originals_scores_and_cocos_80_classes(weights, tmp_path):
    head = {key: official_shapes(outputs=81)[key] for key in weights if "class_embed" in key}
    torch.save({"model_state_dict": weights | seeded(head)}, tmp_path / "upt.pth")
    detector = open_detector(tmp_path / "upt.pth", dilation=False)
    entities = as_in_training(detector, padded_batch()).entities
    torch.testing.assert_close(entities.scores, ORIGINAL["fine.scores"].float(), atol=1e-5, rtol=0)
    assert torch.equal(entities.labels, ORIGINAL["fine.rows"].long())
    assert detector.objects == COCO_OBJECTS


def test_heads_of_81_rows_are_in_the_order_of_cocos_ids(tmp_path):
    """UPT's and PViC's detectors start from the rows of DETR's head that are in use.

    Their training code then numbers HICO-DET's objects (airplane 0, ... zebra 79) in that order,
    so an official head and its rows in use name the same class for the same query.
    """
    rows = [*COCO_CATEGORY_IDS, 91]
    official = zeros(official_shapes())
    official["class_embed.bias"] = torch.arange(92.0)
    tuned = official | {
        key: official[key][rows] for key in ("class_embed.weight", "class_embed.bias")
    }
    for state in (official, tuned):
        torch.save({"model": state}, tmp_path / f"{len(state['class_embed.bias'])}.pth")
        network, names = load_detr(tmp_path / f"{len(state['class_embed.bias'])}.pth", False)
        # the bias is the row of the official head
        for name, row in zip(names, network.class_labels_classifier.bias.tolist(), strict=False):
            assert name == COCO_91[int(row)]


def whole_model(state: dict) -> dict:
    """As UPT and PViC save their models: the detector's weights beside those of the head."""
    inside = {f"detector.{key}": value for key, value in state.items()}
    return inside | {"interaction_head.box_pair_predictor.weight": torch.zeros(117, 1024)}


# depth of the ResNet, rows of the class head, what the file holds
LAYOUTS = {
    "official R50": (50, 92, lambda state: {"model": state}),
    "official R101": (101, 92, lambda state: {"model": state}),
    "UPT's detector": (50, 81, lambda state: {"model_state_dict": state, "epoch": 30}),
    "UPT's detector of 92 rows": (101, 92, lambda state: {"model_state_dict": state}),
    "UPT's whole model": (101, 81, lambda state: {"model_state_dict": whole_model(state)}),
    "PViC's whole model": (50, 81, lambda state: {"model_state_dict": whole_model(state)}),
    "weights alone": (50, 81, lambda state: state),
}


@pytest.mark.parametrize(
    ("layout", "dilation"), [*((name, False) for name in LAYOUTS), ("official R101", True)]
)
def test_every_layout_fills_the_network_key_by_key(layout, dilation, tmp_path):
    depth, outputs, wrap = LAYOUTS[layout]
    torch.save(wrap(zeros(official_shapes(depth, outputs))), tmp_path / "d.pth")
    # strict: one line names what is missing, unexpected or of another shape
    network, names = load_detr(tmp_path / "d.pth", dilation)
    assert not any(value.is_meta for value in network.state_dict().values())
    assert network.config.backbone_config.backbone == f"resnet{depth}"
    assert network.model.backbone.model.feature_info.reduction()[-1] == (16 if dilation else 32)
    assert len(names) == outputs - 1 and set(filter(None, names)) == set(COCO_OBJECTS)


def test_files_of_old_pytorch_and_safetensors_open(tmp_path):
    state = {key: value.contiguous() for key, value in zeros(official_shapes()).items()}
    save_file(state, tmp_path / "d.safetensors")
    torch.save(
        {"model": zeros(official_shapes())},
        tmp_path / "d.pth",
        _use_new_zipfile_serialization=False,
    )
    for name in ("d.safetensors", "d.pth"):
        assert load_detr(tmp_path / name, False)[0].config.num_queries == 100


def test_dilation_comes_from_the_options_in_the_file(tmp_path):
    options = Namespace(dilation=True, nheads=8, enc_layers=6, dec_layers=6, device="cuda")
    torch.save({"model": zeros(official_shapes()), "args": options}, tmp_path / "d.pth")
    assert open_detector(tmp_path / "d.pth").stride == 16
    with pytest.raises(UserError, match=r"with dilation \(DC5\), but model\.detector\.dilation=fa"):
        open_detector(tmp_path / "d.pth", dilation=False)


def test_official_files_are_recognised_by_their_hash(tmp_path, monkeypatch):
    torch.save({"model": zeros(official_shapes())}, tmp_path / "renamed.pth")
    known = {sha256_file(tmp_path / "renamed.pth")[:8]: True}
    monkeypatch.setattr(detr_checkpoint, "DILATION_OF_OFFICIAL", known)
    assert open_detector(tmp_path / "renamed.pth").stride == 16


def test_own_classes_are_named_in_the_configuration(tmp_path):
    torch.save({"model": zeros(official_shapes(outputs=4))}, tmp_path / "d.pth")
    names = ["person", None, "robot arm"]
    detector = open_detector(tmp_path / "d.pth", dilation=False, objects=names)
    assert detector.objects == ("person", "robot arm")
    with pytest.raises(UserError, match=r"has 2 names, but class_embed\.weight .* has 3 classes"):
        load_detr(tmp_path / "d.pth", False, ["person", "robot arm"])
