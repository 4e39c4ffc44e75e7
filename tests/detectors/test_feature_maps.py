"""Maps of the detector's backbone beside its memory, without running the backbone twice."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForObjectDetection

from rmlr_lightning.detectors.base import GivesMaps
from rmlr_lightning.detectors.feature_maps import backbone_stages, give_maps
from rmlr_lightning.errors import UserError
from tests.scenes import random_images
from tests.tiny_detectors import FAMILY, tiny_detector

MAPS = ("c3", "c4", "c5")


@pytest.mark.parametrize("model_type", [name for name in FAMILY if name != "rf_detr"])
def test_the_maps_are_the_outputs_of_the_backbone(model_type):
    detector, images = tiny_detector(model_type), random_images(2, 64, 96)
    assert isinstance(detector, GivesMaps) and detector(images).maps == {}
    give_maps(detector, MAPS)
    scene = detector(images)

    # the reference asks a copy of the backbone for all its stages
    backbone = detector.network.model.backbone.model
    pixels = (images.pixels - detector.mean) / detector.std
    hidden = backbone(pixels, output_hidden_states=True).hidden_states
    for number, name in enumerate(MAPS, 3):
        torch.testing.assert_close(scene.maps[name], hidden[number - 1])
        height, width = (-(-side // detector.map_strides[name]) for side in (64, 96))
        assert scene.maps[name].shape == (2, detector.map_dims[name], height, width)


def test_maps_change_nothing_else_and_the_backbone_runs_once():
    images = random_images(2, 64, 96)
    plain, detector = tiny_detector("detr"), tiny_detector("detr")
    give_maps(detector, ["c5"])
    runs = []
    detector.network.model.backbone.register_forward_hook(lambda *_: runs.append(1))
    scene = detector(images)
    assert runs == [1] and set(scene.maps) == {"c5"}
    torch.testing.assert_close(scene._replace(maps={}, map_masks={}), plain(images), rtol=0, atol=0)
    assert plain.fingerprint() | {"maps": ["c5"]} == detector.fingerprint()


def test_a_map_that_the_detector_lacks_is_named():
    with pytest.raises(UserError, match=r"no map 'c6'; choose from memory, c2, c3, c4, c5"):
        give_maps(tiny_detector(), ["c6"])
    with pytest.raises(UserError, match="no map 'c5'; choose from memory"):
        give_maps(torch.nn.Linear(1, 1), ["c5"])


@pytest.mark.parametrize(("dilated", "stride"), [(False, 32), (True, 16)])
def test_the_last_map_of_a_dilated_backbone_is_finer(dilated, stride):
    config = AutoConfig.for_model("detr", encoder_layers=1, decoder_layers=1)
    config.backbone_config.backbone = "resnet18"
    config.backbone_config.output_stride = 16 if dilated else None
    with torch.device("meta"):
        stages = backbone_stages(AutoModelForObjectDetection.from_config(config))
    assert {name: (stage.dim, stage.stride) for name, stage in stages.items()} == {
        "c2": (64, 4),
        "c3": (128, 8),
        "c4": (256, 16),
        "c5": (512, stride),
    }
