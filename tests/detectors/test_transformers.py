import pytest
import torch
from torchvision.ops import box_convert

from rmlr_lightning.detectors.transformers import Detector
from rmlr_lightning.detectors.weights import fresh_network, save_network
from rmlr_lightning.errors import UserError
from tests.models.conftest import FAMILY, OBJECTS, tiny_detector
from tests.scenes import random_images

FACTS = {
    "objects": OBJECTS,
    "softmax": False,
    "stride": 8,
    "mean": [0.0, 0.0, 0.0],
    "std": [1.0, 1.0, 1.0],
    "size": [64, 96],
}


@pytest.mark.parametrize("model_type", FAMILY)
def test_every_family_gives_a_scene(model_type):
    detector = tiny_detector(model_type)
    images = random_images(2, 64, 96)
    scene = detector(images)
    stride = FAMILY[model_type][2]
    assert scene.entities.boxes.shape == (2, 12, 4)
    assert scene.entities.tokens.shape == (2, 12, detector.token_dim)
    assert scene.memory.shape == (2, detector.memory_dim, 64 // stride, 96 // stride)
    assert scene.memory_mask.all()
    assert ((scene.entities.boxes >= 0) & (scene.entities.boxes <= 1)).all()
    assert ((scene.entities.scores >= 0) & (scene.entities.scores <= 1)).all()
    assert set(scene.entities.labels.flatten().tolist()) <= {0, 1, 2, 3}


@pytest.mark.parametrize("model_type", FAMILY)
def test_the_encoders_maps_hold_all_it_says_each_half_as_fine(model_type):
    detector = tiny_detector(model_type)
    images = random_images(2, 64, 96)
    features = detector.read(images).encoder_last_hidden_state
    maps = detector.maps(features, (64, 96))
    stride = FAMILY[model_type][2]
    assert [tuple(level.shape[2:]) for level in maps] == [
        (64 // (stride * 2**number), 96 // (stride * 2**number)) for number in range(len(maps))
    ]
    if torch.is_tensor(features):
        assert torch.equal(
            torch.cat([level.flatten(2) for level in maps], 2).transpose(1, 2), features
        )


@pytest.mark.parametrize("model_type", ["detr", "conditional_detr", "deformable_detr"])
def test_families_with_masks_hardly_see_the_padding(model_type):
    """What is left comes through the backbone's convolutions at the edge; without the mask scores change more."""
    detector = tiny_detector(model_type)
    images = random_images(1, 64, 64)

    def padded(real: bool):
        fields = {"pixels": (images.pixels, 0.7), "mask": (images.mask, real)}
        wide = {
            name: torch.nn.functional.pad(field, (0, 64), value=value)
            for name, (field, value) in fields.items()
        }
        return detector(images._replace(**wide))

    alone, beside, unmasked = detector(images), padded(False), padded(True)
    seen, everything = (
        (alone.entities.scores - other.entities.scores).abs().max() for other in (beside, unmasked)
    )
    assert seen < everything / 3
    assert beside.memory_mask.sum() == alone.memory_mask.sum()


def test_frozen_means_no_gradient_and_always_evaluation():
    detector = tiny_detector()
    assert not any(parameter.requires_grad for parameter in detector.parameters())
    assert not any(module.training for module in detector.train().modules())
    assert not detector(random_images(1, 64, 96)).memory.requires_grad


def test_a_detector_comes_back_from_its_file_with_hash_and_outputs(tmp_path):
    detector = tiny_detector()
    save_network(detector.network, tmp_path / "d.safetensors", FACTS, torch.float32)
    again = Detector.from_file(tmp_path / "d.safetensors")
    images = random_images(2, 64, 96)
    assert again.hash == detector.hash
    assert torch.equal(again(images).entities.boxes, detector(images).entities.boxes)
    assert again.facts["size"] == [64, 96]


def test_half_precision_files_change_boxes_by_little(tmp_path):
    detector = tiny_detector()
    save_network(detector.network, tmp_path / "d.safetensors", FACTS)
    images = random_images(2, 64, 96)
    difference = (
        Detector.from_file(tmp_path / "d.safetensors")(images).memory - detector(images).memory
    )
    assert difference.abs().max() < 0.05


def test_hash_tells_weights_apart():
    detector = tiny_detector()
    before = detector.hash
    with torch.no_grad():
        next(detector.parameters()).view(-1)[0] += 1
    assert detector.hash != before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such detector weights"),
        (b"not safetensors at all", "not a readable safetensors file"),
    ],
)
def test_bad_weight_files_are_named(tmp_path, content, said):
    path = tmp_path / "bad.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        Detector.from_file(path)
    assert str(path) in str(caught.value)


def test_other_networks_are_refused():
    with pytest.raises(UserError, match="yolos"):
        fresh_network("yolos")
    with pytest.raises(UserError, match="nowhere"):
        Detector.from_hub("./nowhere", softmax=True)


@pytest.mark.parametrize("model_type", FAMILY)
def test_boxes_are_relative_to_the_picture_whatever_the_network_says(model_type):
    """The RT-DETR line and D-FINE speak of the canvas: here the picture is its left half."""
    detector = tiny_detector(model_type)
    images = random_images(1, 64, 128)
    images.mask[..., 64:] = False
    raw = box_convert(detector.read(images).pred_boxes, "cxcywh", "xyxy")
    if model_type in ("rt_detr", "rt_detr_v2", "d_fine"):
        raw = raw * torch.tensor([2.0, 1.0, 2.0, 1.0])
    assert torch.allclose(detector(images).entities.boxes, raw.clamp(0, 1))


@pytest.mark.parametrize("model_type", ["rt_detr", "rt_detr_v2", "d_fine"])
def test_labels_of_a_padded_picture_are_those_of_the_canvas(model_type):
    """The loss with padding is that of the whole canvas given as the picture, with the boxes moved by hand."""
    detector = tiny_detector(model_type)
    images = random_images(1, 64, 128)
    images.pixels[..., 64:] = 0
    box = torch.tensor([[0.5, 0.5, 0.4, 0.6]])
    losses = []
    for real, boxes in ((64, box), (128, box * torch.tensor([0.5, 1.0, 0.5, 1.0]))):
        images.mask[:] = torch.arange(128) < real
        torch.manual_seed(1)  # denoising draws
        losses.append(
            detector.read(images, [{"class_labels": torch.tensor([1]), "boxes": boxes}]).loss
        )
    assert torch.allclose(*losses)


def test_a_frozen_detector_keeps_float32_under_autocast():
    detector, images = tiny_detector(), random_images(2, 64, 96)
    alone = detector(images)
    with torch.autocast("cpu", torch.bfloat16):
        under = detector(images)
    assert torch.equal(under.entities.boxes, alone.entities.boxes)
    assert torch.equal(under.entities.scores, alone.entities.scores)
