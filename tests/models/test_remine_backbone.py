"""Networks of timm as re-mining extractors: a ResNet, a ConvNeXt, a DINO ViT and a CLIP ViT."""

import json
from functools import partial

import pytest
import timm
import torch
from hydra.utils import instantiate
from safetensors.torch import save_file
from torch.nn import functional as F

from rmlr_lightning.detectors.base import Detector, GivesMaps
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.assemble import first_stage
from rmlr_lightning.models.pixel_network import timm_network
from rmlr_lightning.models.remine import Extractor
from rmlr_lightning.models.remine_backbone import timm_backbone
from rmlr_lightning.types import Images
from tests.scenes import random_images
from tests.tiny_detectors import tiny_detector

SMALL_VIT = {"depth": 2, "embed_dim": 24, "num_heads": 3}
NETWORKS = {
    "resnet10t": {"stem_width": 8, "channels": [8, 8, 16, 16]},
    "convnext_atto": {"dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1]},
    "vit_small_patch16_dinov3": SMALL_VIT,
    "vit_small_patch14_reg4_dinov2": SMALL_VIT | {"img_size": 56},
    "vit_base_patch32_clip_224": SMALL_VIT,
}
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]


def network_of(name, **more):
    torch.manual_seed(0)
    return timm_network(name, **NETWORKS[name], **more).eval()


def weights_of(name, folder):
    """A file with random weights of a network, as timm would save it."""
    path = folder / f"{name}.safetensors"
    torch.manual_seed(1)
    save_file(timm.create_model(name, num_classes=0, **NETWORKS[name]).state_dict(), path)
    return path


def padded(images: Images, height: int, width: int) -> Images:
    down, right = height - images.pixels.shape[2], width - images.pixels.shape[3]
    return images._replace(
        pixels=F.pad(images.pixels, (0, right, 0, down), value=9.0),
        mask=F.pad(images.mask, (0, right, 0, down)),
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_trained_on_canvases_that_its_patches_do_not_divide(name):
    detector, images = tiny_detector("detr"), random_images(2, 75, 100)
    images.mask[1, 60:] = False
    make = partial(timm_backbone, name=name, dim=16, **NETWORKS[name])
    same, extractor = first_stage(detector, make)
    assert same is detector and isinstance(extractor, Extractor)
    assert extractor.needs_pixels and extractor.maps == ()

    features = extractor(detector(images), images)
    stride = extractor.trunk.levels[0].stride
    assert features.shape == (2, 16, -(-75 // stride), -(-100 // stride))
    features.square().sum().backward()
    lacking = [key for key, weight in extractor.named_parameters() if weight.grad is None]
    assert lacking == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frozen_network_is_a_part_of_the_detector(name, tmp_path):
    plain, images = tiny_detector("detr"), random_images(2, 75, 100)
    make = partial(
        timm_backbone, name=name, dim=16, frozen=True, weights=weights_of(name, tmp_path)
    )
    detector, extractor = first_stage(plain, partial(make, **NETWORKS[name]))
    assert isinstance(detector, Detector) and isinstance(detector, GivesMaps)
    assert not extractor.needs_pixels and extractor.maps == detector.maps
    assert not any(key.startswith("trunk") for key in extractor.state_dict())
    assert not any(weight.requires_grad for weight in detector.parameters())
    assert not any(module.training for module in detector.train().modules())

    scene = detector(images)
    for map_name, features in scene.maps.items():
        stride = detector.map_strides[map_name]
        cells = (-(-75 // stride), -(-100 // stride))
        assert features.shape == (2, detector.map_dims[map_name], *cells)
    torch.testing.assert_close(scene._replace(maps={}, map_masks={}), plain(images), rtol=0, atol=0)

    # no pixels are needed, and the maps get no gradient
    extractor(scene, None).square().sum().backward()
    assert not any(features.requires_grad for features in scene.maps.values())
    assert all(weight.grad is not None for weight in extractor.parameters())


def test_frozen_and_trained_networks_of_equal_weights_give_equal_features(tmp_path):
    name = "convnext_atto"
    path, images = weights_of(name, tmp_path), random_images(2, 64, 96)
    make = partial(timm_backbone, name=name, dim=16, weights=path, **NETWORKS[name])
    detector, frozen = first_stage(tiny_detector("detr"), partial(make, frozen=True))
    _, trained = first_stage(tiny_detector("detr"), make)
    trained.load_state_dict(frozen.state_dict(), strict=False)
    scene = detector(images)
    torch.testing.assert_close(trained.eval()(scene, images), frozen(scene, None))


def test_the_hash_of_the_detector_follows_the_frozen_network(tmp_path):
    name = "resnet10t"
    make = partial(timm_backbone, name=name, frozen=True, **NETWORKS[name])
    first, _ = first_stage(tiny_detector(), partial(make, weights=weights_of(name, tmp_path)))
    other = timm.create_model(name, num_classes=0, **NETWORKS[name]).state_dict()
    torch.save({"state_dict": other}, tmp_path / "other.pth")
    second, _ = first_stage(tiny_detector(), partial(make, weights=tmp_path / "other.pth"))
    hashes = [each.fingerprint()["weights"] for each in (tiny_detector(), first, second)]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_the_structure_of_a_network_makes_it_again(name):
    network, images = network_of(name), random_images(1, 64, 96)
    again = instantiate(json.loads(json.dumps(network.structure | {"_convert_": "all"})))
    again.load_state_dict(network.state_dict())
    assert again.fingerprint() == network.fingerprint()
    for features, expected in zip(again.eval()(images), network(images), strict=True):
        torch.testing.assert_close(features, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("vit")])
def test_padding_changes_nothing_of_a_vision_transformer(name):
    network, images = network_of(name), random_images(1, 75, 100)
    (alone,) = network(images)
    both = [padded(images, 90, 130), padded(random_images(1, 90, 130), 90, 130)]
    (batch,) = network(Images(*(torch.cat(field) for field in zip(*both, strict=True))))
    height, width = alone.shape[2:]
    torch.testing.assert_close(batch[:1, :, :height, :width], alone, atol=1e-5, rtol=1e-5)
    assert (batch[0, :, height:] == 0).all() and (batch[0, :, :, width:] == 0).all()


def test_a_map_covers_exactly_the_image():
    """A patch of 14 does not divide 70 x 98 + 7: the image is stretched, not padded."""
    name = "vit_small_patch14_reg4_dinov2"
    network, images = network_of(name), random_images(1, 77, 105)
    body, pixels = network.body, (images.pixels - network.mean) / network.std
    stretched = F.interpolate(pixels, (84, 112), mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(images)[0], body(stretched)[0])


def test_a_network_gets_pixels_normalised_as_it_was_trained():
    assert network_of("resnet10t").mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    clip = network_of("vit_base_patch32_clip_224")
    assert clip.mean.flatten().tolist() == pytest.approx(CLIP_MEAN)
    # prefix tokens are no part of the map, and the last norm is applied
    pixels = torch.randn(1, 3, 64, 96)
    tokens = clip.body.network.forward_features(pixels)
    assert tokens.shape[1] == 1 + 2 * 3
    expected = tokens[:, 1:].transpose(1, 2).unflatten(2, (2, 3))
    torch.testing.assert_close(clip.body(pixels)[0], expected)


@pytest.mark.parametrize("name", ["resnet10t", "vit_base_patch32_clip_224"])
def test_weights_of_a_file_are_those_of_the_network(name, tmp_path):
    network = network_of(name, weights=weights_of(name, tmp_path))
    torch.manual_seed(1)
    expected = timm.create_model(name, num_classes=0, **NETWORKS[name]).state_dict()
    for key, value in network.body.network.state_dict().items():
        assert torch.equal(value, expected[key])


def test_another_networks_weights_are_refused_with_their_keys(tmp_path):
    state = timm.create_model("resnet10t", num_classes=0, **NETWORKS["resnet10t"]).state_dict()
    del state["bn1.weight"]
    state["layer1.0.conv1.weight"] = state["layer1.0.conv1.weight"][:4]
    save_file(state | {"more": torch.zeros(1)}, tmp_path / "w.safetensors")
    message = (
        "1 missing, such as bn1.weight; 1 unexpected, such as more; "
        "1 of other shape, such as layer1.0.conv1.weight"
    )
    with pytest.raises(UserError, match=message):
        network_of("resnet10t", weights=tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnet0"}, "name='resnet0': timm has no network of this name"),
        ({"name": "resnet10t", "depths": 3}, "resnet10t does not take an option"),
        ({"name": "resnet10t", "stride": 64}, r"stride=64: resnet10t has maps of strides \[2, 4"),
        ({"name": "resnet10t", "frozen": True}, "frozen=true: a frozen network needs weights"),
        ({"name": "resnet10t", "weights": "no.pth"}, "weights=no.pth: no such file"),
        ({"weights": "no.pth", "pretrained": True}, "not both"),
    ],
)
def test_a_mistake_is_one_line(options, message):
    with pytest.raises(UserError, match=message) as caught:
        timm_backbone(16, **options)
    assert "\n" not in str(caught.value)


def test_offline_the_message_names_the_option_and_the_way_out(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"model\.remine\.pretrained=true.*weights=FILE") as caught:
        timm_backbone(16, name="resnet10t", pretrained=True)
    assert "\n" not in str(caught.value)


@pytest.mark.fault
def test_without_a_network_the_hub_is_asked_once(monkeypatch):
    asked = []

    def refuse(self, repository, **_):
        asked.append(repository)
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    with pytest.raises(UserError, match=r"cannot be had from the hub .no route to host"):
        timm_backbone(16, name="resnet10t", pretrained=True)
    assert asked == ["timm/resnet10t.c3_in1k"]


def test_a_file_that_runs_code_is_not_read(tmp_path):
    torch.save({"state_dict": print}, tmp_path / "code.pth")
    with pytest.raises(UserError, match=r"code\.pth: not a readable file of weights"):
        network_of("resnet10t", weights=tmp_path / "code.pth")
