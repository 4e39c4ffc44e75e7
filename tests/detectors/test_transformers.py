import json

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import box_convert

from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.detectors.feature_maps import encoder_outputs
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import network_from_config, save_network
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Images
from tests.scenes import random_images
from tests.tiny_detectors import FAMILY, OBJECTS, tiny_detector

METADATA = {
    "objects": OBJECTS,
    "mean": [0.0, 0.0, 0.0],
    "std": [1.0, 1.0, 1.0],
    "size": [64, 96],
}


@pytest.mark.parametrize("model_type", FAMILY)
def test_every_family_gives_a_scene(model_type):
    detector = tiny_detector(model_type)
    images = random_images(2, 64, 96)
    scene = detector(images)
    stride = FAMILY[model_type][1]
    assert scene.entities.boxes.shape == (2, detector.num_queries, 4) == (2, 12, 4)
    assert detector.stride == stride
    assert scene.entities.tokens.shape == (2, 12, detector.token_dim)
    assert scene.memory.shape == (2, detector.memory_dim, 64 // stride, 96 // stride)
    assert scene.memory_mask.all()
    assert ((scene.entities.boxes >= 0) & (scene.entities.boxes <= 1)).all()
    assert ((scene.entities.scores >= 0) & (scene.entities.scores <= 1)).all()
    assert set(scene.entities.labels.flatten().tolist()) <= {0, 1, 2, 3}


@pytest.mark.parametrize("model_type", FAMILY)
def test_feature_maps_hold_the_encoders_output_each_of_half_the_resolution(model_type):
    detector = tiny_detector(model_type)
    images = random_images(2, 64, 96)
    features = encoder_outputs(detector.run_network(images))
    maps = detector.feature_maps(features, (64, 96))
    stride = FAMILY[model_type][1]
    assert [tuple(level.shape[2:]) for level in maps] == [
        (64 // (stride * 2**number), 96 // (stride * 2**number)) for number in range(len(maps))
    ]
    if torch.is_tensor(features):
        assert torch.equal(
            torch.cat([level.flatten(2) for level in maps], 2).transpose(1, 2), features
        )


@pytest.mark.parametrize(
    ("model_type", "tolerance"),
    # Deformable DETR normalises its feature maps over the whole canvas, so padding has some effect
    [("detr", 1e-5), ("conditional_detr", 1e-5), ("deformable_detr", 0.1)],
)
def test_networks_that_use_the_mask_do_not_depend_on_the_width_of_padding(model_type, tolerance):
    detector = tiny_detector(model_type)
    images = random_images(1, 64, 64)

    def scene(width: int, mask: bool):
        """With columns of zeros on the right, for which the mask has this value."""
        pixels = F.pad(images.pixels, (0, width))
        return detector(Images(pixels, F.pad(images.mask, (0, width), value=mask), images.sizes))

    def difference(mask: bool):
        narrow, wide = (scene(width, mask).entities.scores for width in (64, 128))
        return (narrow - wide).abs().max()

    assert difference(mask=False) < tolerance
    assert difference(mask=False) < difference(mask=True)
    assert scene(64, False).memory_mask.sum() == detector(images).memory_mask.sum()


def test_frozen_means_no_gradient_and_always_evaluation():
    detector = tiny_detector()
    assert not any(parameter.requires_grad for parameter in detector.parameters())
    assert not any(module.training for module in detector.train().modules())
    assert not detector(random_images(1, 64, 96)).memory.requires_grad


def test_a_file_restores_fingerprint_outputs_and_metadata(tmp_path):
    detector = tiny_detector()
    save_network(detector.network, tmp_path / "d.safetensors", METADATA, torch.float32)
    again = TransformersDetector.from_file(tmp_path / "d.safetensors")
    images = random_images(2, 64, 96)
    assert again.fingerprint() == detector.fingerprint()
    assert torch.equal(again(images).entities.boxes, detector(images).entities.boxes)
    assert again.metadata["size"] == [64, 96]


def test_half_precision_files_change_boxes_by_little(tmp_path):
    detector = tiny_detector()
    save_network(detector.network, tmp_path / "d.safetensors", METADATA)
    images = random_images(2, 64, 96)
    difference = (
        TransformersDetector.from_file(tmp_path / "d.safetensors")(images).memory
        - detector(images).memory
    )
    assert difference.abs().max() < 0.05


def test_the_transformers_detector_implements_the_protocol():
    assert isinstance(tiny_detector(), Detector)


def test_fingerprints_are_plain_json():
    fingerprint = tiny_detector().fingerprint()
    assert json.loads(json.dumps(fingerprint)) == fingerprint


def test_fingerprints_of_other_weights_differ():
    detector = tiny_detector()
    before = detector.fingerprint()
    with torch.no_grad():
        next(detector.parameters()).view(-1)[0] += 1
    after = detector.fingerprint()
    assert len(after["weights"]) == 64
    assert after.pop("weights") != before.pop("weights")
    assert after == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("classes", ["person", "cup", "dog", "car"]),
        ("classes", ["person", "dog", "cup", None]),
        ("mean", [0.5, 0.5, 0.5]),
        ("std", [0.5, 0.5, 0.5]),
    ],
)
def test_fingerprints_of_equal_weights_interpreted_otherwise_differ(option, value):
    network = tiny_detector().network
    options = {"classes": ["person", "dog", "cup", "car"]}
    plain = TransformersDetector(network, **options).fingerprint()
    other = TransformersDetector(network, **options | {option: value}).fingerprint()
    assert other["weights"] == plain["weights"]
    assert other != plain


def test_the_number_of_queries_is_in_the_fingerprint():
    """RT-DETR's queries are the best cells of its encoder, so no weight depends on their number."""
    detector = tiny_detector()
    before = detector.fingerprint()
    detector.network.config.num_queries = 9
    assert detector.fingerprint() == before | {"num_queries": 9}


def test_two_stages_have_as_many_entities_as_proposals():
    config, _ = FAMILY["deformable_detr"]
    two_stages = {"two_stage": True, "two_stage_num_proposals": 7, "with_box_refine": True}
    detector = TransformersDetector.from_config(
        "deformable_detr", OBJECTS, frozen=True, **config | two_stages
    )
    scene = detector(random_images(1, 64, 96))
    assert scene.entities.boxes.shape[1] == detector.num_queries == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such detector weights"),
        (b"not safetensors at all", "not a readable safetensors file"),
    ],
)
def test_bad_weight_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        TransformersDetector.from_file(path)
    assert str(path) in str(caught.value)


def test_other_networks_are_refused():
    with pytest.raises(UserError, match="yolos"):
        network_from_config("yolos")
    with pytest.raises(UserError, match="nowhere"):
        TransformersDetector.from_hub("./nowhere")


@pytest.mark.parametrize("model_type", FAMILY)
def test_boxes_are_relative_to_the_image_for_every_network(model_type):
    """The canvas is two images wide; the network is run on the image alone."""
    detector = tiny_detector(model_type)
    images = random_images(1, 64, 128)
    images.mask[..., 64:] = False
    alone = Images(images.pixels[..., :64], images.mask[..., :64], images.sizes)
    raw = box_convert(detector.run_network(alone).pred_boxes, "cxcywh", "xyxy")
    assert torch.allclose(detector(images).entities.boxes, raw)


@pytest.mark.parametrize("model_type", ["rt_detr", "rt_detr_v2", "d_fine"])
def test_labels_of_a_padded_image_become_relative_to_its_canvas(model_type):
    """The loss equals that of an image as large as the canvas, with the boxes moved by hand."""
    detector = tiny_detector(model_type)
    images = random_images(1, 64, 128)
    images.pixels[..., 64:] = 0
    box = torch.tensor([[0.5, 0.5, 0.4, 0.6]])
    losses = []
    for real, boxes in ((64, box), (128, box * torch.tensor([0.5, 1.0, 0.5, 1.0]))):
        images.mask[:] = torch.arange(128) < real
        torch.manual_seed(1)  # denoising draws
        losses.append(
            detector.run_network(images, [{"class_labels": torch.tensor([1]), "boxes": boxes}]).loss
        )
    assert torch.allclose(*losses)


def test_a_frozen_detector_keeps_float32_under_autocast():
    detector, images = tiny_detector(), random_images(2, 64, 96)
    alone = detector(images)
    with torch.autocast("cpu", torch.bfloat16):
        under = detector(images)
    assert torch.equal(under.entities.boxes, alone.entities.boxes)
    assert torch.equal(under.entities.scores, alone.entities.scores)
