"""Extractors over the detector's own maps."""

import pytest
import torch
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.assemble import first_stage
from rmlr_lightning.models.remine import DetectorMap, Extractor, Neck
from tests.scenes import random_images, random_scene
from tests.tiny_detectors import tiny_detector

DIMS = {"c4": 24, "c5": 40}


def scene_with_maps():
    """Memory of 6 x 8 cells, C5 as large, C4 of twice the size; the second image is padded."""
    scene = random_scene(2, 5)
    mask = scene.memory_mask.clone()
    mask[1, 4:] = False
    maps = {"c4": torch.randn(2, 24, 12, 16), "c5": torch.randn(2, 40, 6, 8)}
    return scene._replace(maps=maps, memory_mask=mask)


def test_a_map_is_passed_as_it_is():
    scene = scene_with_maps()
    extractor = DetectorMap(16, DIMS, map="c5")
    assert isinstance(extractor, Extractor)
    assert (extractor.dim, extractor.maps, extractor.needs_pixels) == (40, ("c5",), False)
    assert extractor(scene, None) is scene.maps["c5"]
    memory = DetectorMap(16, DIMS, map="memory")
    assert memory(scene, None) is scene.memory and memory.maps == ()


def test_a_neck_adds_the_maps_at_the_finest_resolution():
    scene, neck = scene_with_maps(), Neck(16, DIMS, dim=8, maps=["memory", "c4"])
    assert neck.maps == ("c4",) and neck(scene, None).shape == (2, 8, 12, 16)

    # the reference upsamples first and then projects all channels at once, image by image
    project, norm, act, *blocks = neck.body
    for row, rows in enumerate((6, 4)):  # real ones of the memory
        memory = scene.memory[row : row + 1, :, :rows]
        memory = F.interpolate(memory, (2 * rows, 16), mode="bilinear", align_corners=False)
        x = act(
            norm(project(torch.cat([memory, scene.maps["c4"][row : row + 1, :, : 2 * rows]], 1)))
        )
        for block in blocks:
            x = F.silu(x + block.body(x))
        torch.testing.assert_close(neck(scene, None)[row, :, : 2 * rows], x[0])


def test_values_in_the_padding_of_a_map_change_nothing():
    scene, neck = scene_with_maps(), Neck(16, DIMS, dim=8, maps=["c4", "c5"])
    garbage = {name: value.clone() for name, value in scene.maps.items()}
    garbage["c4"][1, :, 8:], garbage["c5"][1, :, 4:] = 100.0, 100.0
    torch.testing.assert_close(neck(scene._replace(maps=garbage), None), neck(scene, None))


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (["c3"], "no map 'c3'; choose from memory, c4, c5"),
        ([], r"maps=\[\]: expected a list"),
        ("c4", "maps=c4: expected a list"),
    ],
)
def test_a_wrong_map_is_named(maps, message):
    with pytest.raises(UserError, match=message):
        Neck(16, DIMS, maps=maps)


def test_the_detector_gives_what_the_extractor_reads():
    detector = tiny_detector("detr")
    detector, extractor = first_stage(
        detector, lambda **dims: Neck(**dims, dim=8, maps=["memory", "c4", "c5"])
    )
    scene = detector(random_images(1, 64, 96))
    assert set(scene.maps) == {"c4", "c5"}
    assert extractor(scene, None).shape == (1, 8, 4, 6)

    first_stage(detector, Neck)
    assert detector.maps == () and detector(random_images(1, 64, 96)).maps == {}
