"""The result of the whole model for an image does not depend on the others of its batch."""

from functools import partial

import pytest
import torch

from rmlr_lightning.data.collate import collate_scenes, single_scenes
from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.models.ire import IRE
from rmlr_lightning.models.irm import IRM, LinearIRM
from rmlr_lightning.models.pair_features import PairFeatures
from rmlr_lightning.models.pixel_network import timm_network
from rmlr_lightning.models.pvic import VisualContext
from rmlr_lightning.models.remine import DetectorMap, Neck, NoFeatures
from rmlr_lightning.models.remine_backbone import Backbone, timm_backbone
from rmlr_lightning.models.upt import Competitive, UnaryPairwise
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.types import Entities, Inputs
from rmlr_lightning.vocabulary import hicodet
from tests.detectors.test_neighbours import images_of
from tests.tiny_detectors import tiny_detector

SELECTION = Selection(score_threshold=0.0, nms_iou=1.0, min_instances=3, max_instances=4)
RESNET = {"name": "resnet10t", "stem_width": 8, "channels": [8, 8, 16, 16]}
VIT = {"name": "vit_small_patch16_dinov3", "depth": 2, "embed_dim": 24, "num_heads": 3}
CONVNEXT = {"name": "convnext_atto", "dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}


def frozen(memory_dim, map_dims=None):
    """A second network, as model.remine.frozen=true makes it, with random weights."""
    return Backbone(
        memory_dim, map_dims, network=lambda: timm_network(**RESNET).eval(), dim=16, frozen=True
    )


EXTRACTORS = {
    "none": NoFeatures,
    "c5": partial(DetectorMap, map="c5"),
    "neck": partial(Neck, dim=16),
    "neck of maps": partial(Neck, dim=16, maps=["memory", "c4", "c3"]),
    "resnet": partial(timm_backbone, dim=16, **RESNET),
    "convnext": partial(timm_backbone, dim=16, **CONVNEXT),
    "vit": partial(timm_backbone, dim=16, **VIT),
    "frozen": frozen,
}
TRANSFORMER = partial(
    IRE,
    pair_features=partial(PairFeatures, region_size=3),
    dim=32,
    heads=4,
    hidden=32,
    grid=(3, 4),
)
HEADS = {
    "rmlr": (TRANSFORMER, partial(IRM, heads=4, hidden=32)),
    "upt": (partial(UnaryPairwise, representation=32, heads=4), partial(Competitive, heads=4)),
    "pvic": (partial(VisualContext, representation=32, heads=4), LinearIRM),
}
MODELS = [
    *((extractor, "rmlr", "detr") for extractor in EXTRACTORS),
    *(("c5", head, "detr") for head in ("upt", "pvic")),
    ("neck of maps", "pvic", "rt_detr_v2"),
]
SIZES = [(96, 128), (61, 90), (128, 64)]


def model_of(extractor: str, head: str, model_type: str):
    torch.manual_seed(1)
    ire, irm = HEADS[head]
    detector = tiny_detector(model_type)
    # any entity may be a subject: a random detector need not find people
    vocabulary = hicodet()._replace(subject=None)
    model = assemble(vocabulary, detector, SELECTION, EXTRACTORS[extractor], ire, irm)
    # the identity that some layers start as would hide what they read
    for weight in model.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


def logits_of(prediction, row: int):
    return prediction.logits[row][prediction.pairs.mask[row]]


@pytest.mark.fault
@pytest.mark.parametrize(("extractor", "head", "model_type"), MODELS)
@torch.no_grad()
def test_an_image_alone_equals_the_image_in_a_batch(extractor, head, model_type):
    model = model_of(extractor, head, model_type)
    images = images_of(SIZES)
    together = model(Inputs(images))
    # cached Scenes are padded by the loader, those of the detector by the detector
    singles = single_scenes(model.detector(images))
    stored = [
        scene._replace(
            entities=Entities(*(field[0] for field in scene.entities)),
            memory=scene.memory[0],
            memory_mask=scene.memory_mask[0],
            sizes=scene.sizes[0],
            maps={name: features[0] for name, features in scene.maps.items()},
        )
        for scene in singles
    ]
    cached = model(Inputs(images, collate_scenes(stored)))
    for row, size in enumerate(SIZES):
        alone = model(Inputs(images_of([size])))
        expected = logits_of(alone, 0)
        assert len(expected) > 0 and expected.std() > 0.01
        for prediction in (together, cached):
            torch.testing.assert_close(logits_of(prediction, row), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.fault
def test_padding_of_a_training_batch_does_not_reach_the_neck():
    """Group normalisation reads real cells only, in training as in evaluation."""
    detector, neck = tiny_detector("detr"), Neck(16, {"c4": 16, "c3": 8}, dim=16)
    for weight in neck.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    scene = detector(images_of(SIZES))
    together = neck.train()(scene, None)
    for row, single in enumerate(single_scenes(scene)):
        alone = neck(single, None)
        height, width = alone.shape[2:]
        torch.testing.assert_close(together[row, :, :height, :width], alone[0], atol=1e-5, rtol=0)
        assert (together[row, :, height:] == 0).all() and (together[row, :, :, width:] == 0).all()
