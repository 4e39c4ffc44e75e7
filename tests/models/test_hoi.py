"""The model as a whole, in each of its compositions."""

from functools import partial

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.models.ire import IRE, PairMLP
from rmlr_lightning.models.irm import IRM, LinearIRM
from rmlr_lightning.models.irm_text import TextIRM
from rmlr_lightning.models.pair_features import PairFeatures
from rmlr_lightning.models.pvic import VisualContext
from rmlr_lightning.models.remine import DetectorMap, Extractor, Neck, NoFeatures
from rmlr_lightning.models.remine_backbone import timm_backbone
from rmlr_lightning.models.upt import Competitive, UnaryPairwise
from rmlr_lightning.ops.object_classes import class_index
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.types import Entities, Inputs, TextEmbeddings
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_images, random_scene
from tests.tiny_detectors import tiny_detector

PAIR_FEATURES = partial(PairFeatures, region_size=3)
REMINE = {
    "none": NoFeatures,
    "map": partial(DetectorMap, map="memory"),
    "neck": partial(Neck, dim=16),
    "backbone": partial(timm_backbone, name="resnet10t", dim=16),
}
IRES = {
    "mlp": partial(PairMLP, pair_features=PAIR_FEATURES, dim=32, hidden=32, grid=(3, 4)),
    "transformer": partial(
        IRE, pair_features=PAIR_FEATURES, dim=32, heads=4, hidden=32, grid=(3, 4)
    ),
    "upt": partial(UnaryPairwise, representation=32, heads=4),
    "pvic": partial(VisualContext, representation=32, heads=4),
}
# with one layer of each kind, where a graph is traced: every layer takes as long, and is the same
TRACED = {
    "mlp": IRES["mlp"],
    "transformer": partial(IRES["transformer"], layers=1),
    "upt": partial(IRES["upt"], layers=1),
    "pvic": partial(IRES["pvic"], layers=1, decoder_layers=1),
}
IRMS = {
    "linear": LinearIRM,
    "transformer": partial(IRM, heads=4, hidden=32),
    "upt": partial(Competitive, heads=4, hidden=32),
    "text": partial(TextIRM, heads=4, hidden=32, text_dim=12),
}
MODELS = [
    ("none", "mlp", "linear"),
    ("neck", "transformer", "transformer"),
    ("backbone", "transformer", "linear"),
    ("map", "upt", "upt"),
    ("map", "pvic", "linear"),
    ("neck", "mlp", "text"),
]
SELECTION = Selection(score_threshold=0.0, min_instances=4, max_instances=6)


def bank() -> TextEmbeddings:
    """Random embeddings of phrases of one word."""
    g = torch.Generator().manual_seed(2)
    words, real = torch.zeros(600, 1, 12), torch.ones(600, 1, dtype=torch.bool)
    return TextEmbeddings(torch.randn(600, 12, generator=g), words, real, real)


def model_of(remine: str, ire: str, irm: str, ires=IRES):
    torch.manual_seed(1)
    return assemble(
        hicodet(), tiny_detector(), SELECTION, REMINE[remine], ires[ire], IRMS[irm], bank=bank
    ).eval()


def one(scene, image):
    """One image of a scene."""
    return scene._replace(
        entities=Entities(*(field[image : image + 1] for field in scene.entities)),
        memory=scene.memory[image : image + 1],
        memory_mask=scene.memory_mask[image : image + 1],
        sizes=scene.sizes[image : image + 1],
    )


@pytest.mark.parametrize("parts", MODELS)
def test_one_image_alone_equals_the_same_image_in_a_batch(parts):
    model, scene, images = model_of(*parts), random_scene(3, 14, seed=7), random_images(3)
    together = model(Inputs(images, scene))
    for image in range(3):
        alone = model(
            Inputs(
                images._replace(
                    pixels=images.pixels[image : image + 1], mask=images.mask[image : image + 1]
                ),
                one(scene, image),
            )
        )
        real = together.pairs.mask[image]
        assert real.sum() == alone.pairs.mask.sum() > 0
        torch.testing.assert_close(
            together.logits[image][real], alone.logits[0][alone.pairs.mask[0]], atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("parts", MODELS)
def test_the_order_of_queries_does_not_matter(parts):
    model, scene, images = model_of(*parts), random_scene(2, 10, seed=3), random_images(2)
    order = torch.randperm(10)
    shuffled = scene._replace(entities=Entities(*(field[:, order] for field in scene.entities)))
    first, second = model(Inputs(images, scene)), model(Inputs(images, shuffled))
    torch.testing.assert_close(first.logits, second.logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("parts", MODELS)
def test_gradients_are_finite_even_with_an_empty_image(parts):
    model, scene, images = model_of(*parts).train(), random_scene(2, 8), random_images(2)
    mask = scene.entities.mask.clone()
    mask[1] = False
    prediction = model(Inputs(images, scene._replace(entities=scene.entities._replace(mask=mask))))
    prediction.logits[prediction.pairs.mask].sum().backward()
    assert prediction.pairs.mask[0].any() and not prediction.pairs.mask[1].any()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(torch.isfinite(p.grad).all() for p in trained if p.grad is not None)
    assert all(p.grad is None for p in model.detector.parameters())


@pytest.mark.parametrize("parts", [("map", "upt", "upt"), ("map", "pvic", "linear")])
def test_every_weight_of_a_baseline_is_trained(parts):
    model = model_of(*parts).train()
    model(Inputs(None, random_scene(2, 8))).logits.square().sum().backward()
    trained = [*model.ire.named_parameters(), *model.irm.named_parameters()]
    # processes that train together wait for a gradient of each
    assert [name for name, weight in trained if weight.grad is None] == []


def test_images_go_through_the_detector():
    model = model_of("neck", "transformer", "transformer")
    prediction = model(Inputs(random_images(2, 64, 96)))
    assert prediction.scene.entities.mask.any()
    assert prediction.logits.shape[-1] == 117


def test_the_memory_matters_only_with_remining():
    scene, images = random_scene(1, 8), random_images(1)
    other = scene._replace(memory=scene.memory.flip(2))
    for parts, differs in (
        (("none", "mlp", "linear"), False),
        (("neck", "transformer", "linear"), True),
    ):
        model = model_of(*parts)
        same = torch.allclose(
            model(Inputs(images, scene)).logits, model(Inputs(images, other)).logits
        )
        assert same is not differs


def test_external_detections_replace_the_detectors():
    model, scene = model_of("neck", "mlp", "linear"), random_scene(1, 8, width=16)
    boxes = torch.tensor([[[0.1, 0.1, 0.4, 0.9], [0.3, 0.4, 0.6, 0.8]]])
    external = Entities(
        boxes,
        torch.ones(1, 2),
        torch.tensor([[0, 1]]),
        torch.zeros(1, 2, 0),
        torch.ones(1, 2, dtype=torch.bool),
    )
    prediction = model(Inputs(random_images(1), scene, external))
    assert torch.equal(prediction.scene.entities.boxes, boxes)
    assert prediction.pairs.mask.sum() == 1


@pytest.mark.parametrize("remine", REMINE)
def test_extractors_follow_the_protocol(remine):
    extractor = REMINE[remine](memory_dim=16)
    assert isinstance(extractor, Extractor)
    assert extractor.needs_pixels is (remine == "backbone")


def test_a_detector_without_the_class_of_the_humans_is_refused():
    vocabulary = hicodet()._replace(objects=("worker", *hicodet().objects[1:]))
    with pytest.raises(UserError, match="no class 'worker'"):
        assemble(
            vocabulary, tiny_detector(), SELECTION, REMINE["none"], IRES["mlp"], IRMS["linear"]
        )


def test_classes_are_matched_by_name_whatever_their_order():
    model = model_of("none", "mlp", "linear").eval()
    images = Inputs(random_images(2, 64, 96))
    order = [1, 0, *range(2, 80)]
    objects = tuple(hicodet().objects[i] for i in order)
    place = torch.tensor(order).argsort()
    model.object_index = class_index(model.detector.objects, objects)
    model.subject, model.valid_pairs = 1, model.valid_pairs[order]
    other = model(images)
    model.object_index = class_index(model.detector.objects, hicodet().objects)
    model.subject, model.valid_pairs = 0, hicodet().valid_pairs()
    plain = model(images)
    assert torch.equal(other.pairs.object_class, place[plain.pairs.object_class])
    assert torch.equal(other.pairs.mask, plain.pairs.mask)
