"""The relation encoder and the map it reads, where a part of the map is padding."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from rmlr_lightning.models.ire import IRE, PairMLP
from rmlr_lightning.models.pair_features import PairFeatures, geometry
from rmlr_lightning.models.remine import Neck
from rmlr_lightning.models.remine_backbone import timm_backbone
from rmlr_lightning.ops.parts import images_of
from rmlr_lightning.ops.roi import resample
from rmlr_lightning.types import Pairs
from tests.scenes import random_images, random_scene

PAIR_FEATURES = partial(PairFeatures, region_size=3, reduced=8)
IRES = {
    "mlp": partial(PairMLP, 16, 16, 16, PAIR_FEATURES, dim=16, hidden=16, grid=(3, 4)),
    "transformer": partial(IRE, 16, 16, 16, PAIR_FEATURES, dim=16, heads=2, hidden=16, grid=(3, 4)),
}
PAIRS = Pairs(
    torch.tensor([[0, 2, 1]] * 2),
    torch.tensor([[3, 1, 4]] * 2),
    torch.zeros(2, 3, dtype=torch.long),
    torch.tensor([[True, True, False]] * 2),
)


def made(what):
    torch.manual_seed(0)
    return what().eval()


def partly_real():
    """A scene whose second image fills 4 of 6 rows and 5 of 8 columns of the map."""
    scene = random_scene(2, 5)
    mask = scene.memory_mask.clone()
    mask[1, 4:] = mask[1, :, 5:] = False
    return scene._replace(memory_mask=mask)


def with_garbage(scene):
    garbage = 100 * torch.randn_like(scene.memory)
    return scene._replace(memory=torch.where(scene.memory_mask[:, None], scene.memory, garbage))


@pytest.mark.parametrize("ire", IRES.values(), ids=IRES)
def test_values_in_the_padding_of_the_memory_change_nothing(ire):
    scene, neck, ire = partly_real(), made(partial(Neck, 16, dim=16)), made(ire)
    tokens = [ire(each, PAIRS, neck(each, None)) for each in (scene, with_garbage(scene))]
    torch.testing.assert_close(tokens[1], tokens[0])


def test_values_in_the_padding_of_the_memory_change_nothing_with_pixels():
    scene, images = partly_real(), random_images(2)
    remine, ire = made(partial(timm_backbone, 16, dim=16)), made(IRES["transformer"])
    tokens = [ire(each, PAIRS, remine(each, images)) for each in (scene, with_garbage(scene))]
    torch.testing.assert_close(tokens[1], tokens[0])


@pytest.mark.parametrize("ire", IRES.values(), ids=IRES)
def test_a_map_padded_to_a_larger_canvas_reads_the_same(ire):
    """Boxes are relative to the image without padding, and so is the grid of the coarse map."""
    scene, ire, features = random_scene(2, 5), made(ire), torch.randn(2, 16, 6, 8)
    padded = scene._replace(memory_mask=F.pad(scene.memory_mask, (0, 8, 0, 3)))
    wide = F.pad(features, (0, 8, 0, 3), value=100.0)
    real = PAIRS.mask
    torch.testing.assert_close(ire(padded, PAIRS, wide)[real], ire(scene, PAIRS, features)[real])


def coarse(scene, features, grid):
    """The map that unions and cross-attention read."""
    pairs = Pairs(*(field[: len(scene.sizes)] for field in PAIRS))
    return resample(features, grid, geometry(scene, pairs, features).extents)


def test_the_coarse_map_is_the_mean_over_cells():
    scene, features = random_scene(2, 5), torch.randn(2, 3, 6, 8)
    torch.testing.assert_close(coarse(scene, features, (3, 4)), F.avg_pool2d(features, 2))


def test_the_coarse_map_of_a_part_is_that_of_the_part_alone():
    scene, features = partly_real(), torch.randn(2, 3, 12, 16)  # finer than the memory and its mask
    alone = images_of(scene, 1, 2)._replace(memory_mask=scene.memory_mask[1:, :4, :5])
    expected = coarse(alone, features[1:, :, :8, :10], (4, 5))
    torch.testing.assert_close(coarse(scene, features, (4, 5))[1:], expected)


@pytest.mark.parametrize("ire", IRES.values(), ids=IRES)
def test_pairs_that_are_not_real_change_nothing(ire):
    scene, ire, features = partly_real(), made(ire), torch.randn(2, 16, 6, 8)
    other = PAIRS._replace(human=torch.where(PAIRS.mask, PAIRS.human, 3))
    real = PAIRS.mask
    torch.testing.assert_close(ire(scene, other, features)[real], ire(scene, PAIRS, features)[real])


def test_pairs_depend_on_one_another_with_attention_only():
    scene, features = partly_real(), torch.randn(2, 16, 6, 8)
    other = PAIRS._replace(human=torch.tensor([[0, 3, 1]] * 2))
    for name, depends in (("mlp", False), ("transformer", True)):
        ire = made(IRES[name])
        first = [ire(scene, pairs, features)[:, 0] for pairs in (PAIRS, other)]
        assert torch.allclose(*first, atol=1e-6) is not depends


@pytest.mark.parametrize("ire", IRES.values(), ids=IRES)
def test_an_image_of_padding_stays_finite(ire):
    scene, ire, features = (
        random_scene(2, 5),
        made(ire),
        torch.randn(2, 16, 6, 8, requires_grad=True),
    )
    scene = scene._replace(memory_mask=torch.zeros_like(scene.memory_mask))
    padding = PAIRS._replace(mask=torch.zeros_like(PAIRS.mask))
    tokens = ire(scene, padding, features)
    tokens.sum().backward()
    assert torch.isfinite(tokens).all() and torch.isfinite(features.grad).all()
