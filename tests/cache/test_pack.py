"""What is stored of a Scene, and how many bytes it takes."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.pack import MapSize, pack, pool_memory, stored_bytes
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.data.views import view_of
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.selection import Selection, gather_entities, select
from rmlr_lightning.types import Entities, Scene
from rmlr_lightning.vocabulary import COCO_OBJECTS
from tests.scenes import random_scene


def single_of(scene: Scene) -> Scene:
    """The only image of a batch, without batch dimension."""
    maps = {name: value[0] for name, value in scene.maps.items()}
    return Scene(Entities(*(f[0] for f in scene.entities)), *(f[0] for f in scene[1:4]), maps)


NAMES = [f"{index:03d}.jpg" for index in range(22)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("entities", [1, 4, 30])
def test_few_entities_still_hold_what_selection_needs(entities, seed):
    scene = random_scene(3, 40, seed)
    confident = Selection(score_threshold=2.0, nms_iou=0.5, min_instances=3, max_instances=15)
    options = CacheOptions(dtype="fp32", entities=entities, min_instances=3, nms_iou=0.5)
    few, every = pack(scene, options, COCO_OBJECTS).entities, scene.entities
    torch.testing.assert_close(
        gather_entities(few, select(few, confident)),
        gather_entities(every, select(every, confident)),
    )
    scores = torch.where(every.mask, every.scores, -1.0)
    top = scores.sort(dim=1, descending=True).values
    for image in range(3):
        kept = few.scores[image][few.mask[image]]
        count = min(entities, int(every.mask[image].sum()))
        assert set(top[image, :count].tolist()) <= set(kept.tolist())
        assert len(kept) <= entities + 6


def test_pooling_averages_over_what_is_real():
    memory, mask = torch.rand(1, 2, 6, 8), torch.zeros(1, 6, 8, dtype=torch.bool)
    mask[:, :4, :6] = True
    cells, real = pool_memory(memory, mask, (3, 4))
    assert real[0].tolist() == [[True, True, True, False], [True, True, True, False], [False] * 4]
    torch.testing.assert_close(cells[0, :, 1, 2], memory[0, :, 2:4, 4:6].mean((1, 2)))
    mean, _ = pool_memory(memory, mask, (1, 1))
    torch.testing.assert_close(mean[0, :, 0, 0], memory[0, :, :4, :6].mean((1, 2)))


def test_an_image_of_a_detr_r50_is_as_small_as_promised():
    size = {"num_queries": 100, "token_dim": 256, "memory": MapSize(256, (25, 34))}
    assert stored_bytes(CacheOptions(), **size) <= 500_000
    assert stored_bytes(CacheOptions(memory=(3, 4), entities=28), **size) <= 25_000


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"memory": (3, 4), "entities": 28},
        {"dtype": "bf16", "memory": "none"},
        {"maps": 2},
        {"dtype": "fp32", "memory": 4, "maps": (5, 7)},
    ],
    ids=["default", "small", "mean", "half", "factors"],
)
def test_the_estimate_is_near_the_file(stored, tmp_path: Path):
    count, width, height = 100, 256, 34
    options = CacheOptions(path=tmp_path, shard=len(NAMES), **stored)
    scene = random_scene(1, count, 0, width)
    scene = scene._replace(
        entities=scene.entities._replace(mask=torch.ones(1, count).bool()),
        memory=torch.rand(1, width, 25, height),
        memory_mask=torch.ones(1, 25, height).bool(),
    )
    sizes = [MapSize(24, (50, 68)), MapSize(40, (25, 34))]
    if "maps" in stored:
        maps = {
            f"c{number}": torch.rand(1, dim, *cells) for number, (dim, cells) in enumerate(sizes, 4)
        }
        scene = scene._replace(maps=maps)
    packed = pack(scene, options, COCO_OBJECTS)
    single = single_of(packed)
    store = SceneStore({}, options, view_of(0), NAMES)
    store.write(lambda images: [single] * len(images))
    memory = MapSize(width, (25, height))
    maps = sizes if scene.maps else []
    promised = stored_bytes(options, count, width, memory, maps) * len(NAMES)
    if options.entities is None:
        # exact but for file names and the header, for which an allowance is made
        assert promised - 160 * len(NAMES) < store.size() <= promised + 1500
    assert 0.8 * promised <= store.size() <= 1.01 * promised


@pytest.mark.parametrize(
    ("resolution", "shapes"),
    [
        ("full", {"c4": (11, 16), "c5": (6, 8)}),
        (2, {"c4": (6, 8), "c5": (3, 4)}),
        ((4, 5), {"c4": (4, 5), "c5": (4, 5)}),
        ("none", {"c4": (1, 1), "c5": (1, 1)}),
    ],
)
def test_maps_are_stored_at_the_chosen_resolution(resolution, shapes, tmp_path):
    scene = random_scene(1, 4)
    maps = {"c4": torch.rand(1, 3, 11, 16), "c5": torch.rand(1, 5, 6, 8)}
    options = CacheOptions(path=tmp_path, dtype="fp32", maps=resolution)
    single = single_of(pack(scene._replace(maps=maps), options, COCO_OBJECTS))
    store = SceneStore({}, options, view_of(0), NAMES)
    store.write(lambda images: [single] * len(images))

    found = store.scene(3)
    assert {name: tuple(value.shape[1:]) for name, value in found.maps.items()} == shapes
    assert torch.equal(found.memory, scene.memory[0])
    for name, value in found.maps.items():
        mean = F.adaptive_avg_pool2d(maps[name][0], shapes[name])
        torch.testing.assert_close(value, mean, atol=1e-6, rtol=1e-5)
    assert store.damages() == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"dtype": "fp8"}, "features.dtype=fp8: choose one of fp16"),
        ({"memory": "small"}, "features.memory=small: choose full"),
        ({"memory": (3,)}, r"features.memory=\[3\]: choose full"),
        ({"memory": 1}, "features.memory=1: choose full"),
        ({"maps": "half"}, "features.maps=half: choose full"),
        ({"entities": 0}, "features.entities=0: expected a whole number from 1"),
        ({"views": 0}, "features.views=0"),
        ({"shard": "many"}, "features.shard=many"),
        ({"batch_size": 0}, "features.batch_size=0"),
        ({"num_workers": -1}, "features.num_workers=-1: expected a whole number from 0"),
    ],
)
def test_a_wrong_option_is_named(wrong, named):
    with pytest.raises(UserError, match=named):
        CacheOptions(**wrong)
