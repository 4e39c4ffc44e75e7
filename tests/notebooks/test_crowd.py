"""Crowds of a tiny model."""

from functools import partial

import pytest
import torch
from support import crowd, mosaic

from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.models.ire import IRE, PairMLP
from rmlr_lightning.models.irm import IRM, LinearIRM
from rmlr_lightning.models.pair_features import PairFeatures
from rmlr_lightning.models.remine import Neck
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_scene, target_of
from tests.tiny_detectors import tiny_detector

PAIR_FEATURES = partial(PairFeatures, region_size=3)
EACH_PAIR_ALONE = (
    partial(PairMLP, pair_features=PAIR_FEATURES, dim=32, hidden=32, grid=(3, 4)),
    LinearIRM,
)
PAIRS_ATTEND = (
    partial(IRE, pair_features=PAIR_FEATURES, dim=32, heads=4, hidden=32, grid=(3, 4)),
    partial(IRM, heads=4, hidden=32),
)
RIDE, HOLD = hicodet().verbs.index("ride"), hicodet().verbs.index("hold")
TARGETS = [
    target_of(
        [[10 + 3 * n, 20, 60, 90]], [[30, 40, 80, 110]], [1], [(RIDE, HOLD)[n % 2]], image_id=n
    )
    for n in range(8)
]
TARGETS = [t._replace(hois=torch.tensor([hicodet().hoi_of[int(t.verbs[0]), 1]])) for t in TARGETS]
SCENES = [mosaic.true_boxes(random_scene(1, 5, n), target) for n, target in enumerate(TARGETS)]


def task_of(parts) -> HOITask:
    torch.manual_seed(1)
    ire, irm = parts
    model = partial(
        assemble,
        detector=tiny_detector(),
        selection=Selection(),
        remine=partial(Neck, dim=16),
        ire=ire,
        irm=irm,
    )
    return HOITask(model, {}, ScheduledAdamW(), hicodet()).eval()


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_every_size_deals_out_every_scene_once(count):
    assert sorted(scene for members in crowd.crowds(count, 8) for scene in members) == list(
        range(8)
    )


def test_a_crowd_of_one_is_alone():
    found = crowd.with_true_boxes(task_of(PAIRS_ATTEND), {}, SCENES, TARGETS, 1)
    assert found["crowd/map"] == found["alone/map"] == found["own/map"]
    assert found["crowd/recognised"] == found["alone/recognised"]


@pytest.mark.parametrize(("parts", "same"), [(EACH_PAIR_ALONE, True), (PAIRS_ATTEND, False)])
def test_other_pairs_matter_to_a_model_whose_pairs_attend_to_each_other(parts, same):
    task = task_of(parts)
    grid = mosaic.grid_of(4)
    whole = mosaic.mosaic(SCENES[:4], grid)
    with torch.inference_mode():
        together = crowd.predict(task.model, whole)
        isolated = crowd.predict(task.model, mosaic.one_cell_at_a_time(whole, grid))
    own = mosaic.own_pairs(together, grid)
    tokens = own.irm_tokens[own.pairs.mask]  # by human, so by cell
    assert torch.allclose(tokens, isolated.irm_tokens[isolated.pairs.mask], atol=1e-5) == same


def test_no_entity_of_a_crowd_is_cut_off():
    scenes = [mosaic.true_boxes(random_scene(1, 5, n % 8), TARGETS[n % 8]) for n in range(30)]
    with torch.inference_mode():
        found = crowd.predict(
            task_of(EACH_PAIR_ALONE).model, mosaic.mosaic(scenes, mosaic.grid_of(30))
        )
    assert int(found.scene.entities.mask.sum()) == 60


def test_images_are_tiled_as_their_scenes_are():
    pixels = [torch.full((3, 2, 4), float(n)) for n in range(8)]
    image, _ = next(crowd.tiled_images(pixels, TARGETS, 8))
    scenes = [s._replace(memory=p[None]) for s, p in zip(SCENES, pixels, strict=True)]
    scene, _ = next(crowd.tiled_scenes(scenes, TARGETS, 8))
    assert torch.equal(image, scene.memory[0])
