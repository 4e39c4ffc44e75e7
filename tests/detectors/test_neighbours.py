"""The outputs of a detector for an image do not depend on the other images of its batch."""

import pytest
import torch
from torch.nn import functional as F

from rmlr_lightning.data.collate import collate_images, single_scenes
from rmlr_lightning.models.assemble import first_stage
from rmlr_lightning.models.remine_backbone import timm_backbone
from rmlr_lightning.types import Images, Scene
from tests.tiny_detectors import FAMILY, tiny_detector

# a size that no stride divides, one that comes twice, upright, and one smaller than the others
SIZES = [(96, 128), (61, 90), (128, 64), (96, 128), (37, 45)]


def images_of(sizes: list[tuple[int, int]]) -> Images:
    """Noise; an image is the same in whatever batch it is."""
    pixels = []
    for height, width in sizes:
        g = torch.Generator().manual_seed(1000 * height + width)
        pixels.append(torch.rand(3, height, width, generator=g))
    return collate_images(pixels, [torch.tensor(size) for size in sizes])


def assert_equal_scenes(found: Scene, expected: Scene) -> None:
    """Two Scenes of one image, without padding."""
    for name in ("boxes", "scores", "tokens"):
        pair = (getattr(scene.entities, name) for scene in (found, expected))
        torch.testing.assert_close(*pair, atol=1e-5, rtol=1e-5)
    assert torch.equal(found.entities.labels, expected.entities.labels)
    torch.testing.assert_close(found.memory, expected.memory, atol=1e-5, rtol=1e-5)
    assert found.maps.keys() == expected.maps.keys()
    for name, features in found.maps.items():
        torch.testing.assert_close(features, expected.maps[name], atol=1e-5, rtol=1e-5)


@pytest.mark.fault
@pytest.mark.parametrize("model_type", FAMILY)
def test_an_image_alone_equals_the_image_in_any_batch(model_type):
    detector = tiny_detector(model_type)
    detector.maps = tuple(detector.map_dims)
    alone = [detector(images_of([size])) for size in SIZES]
    for batch in ([0, 1, 2, 3, 4], [4, 0]):
        together = single_scenes(detector(images_of([SIZES[row] for row in batch])))
        for row, scene in zip(batch, together, strict=True):
            assert_equal_scenes(scene, alone[row])


@pytest.mark.fault
@pytest.mark.parametrize("model_type", FAMILY)
def test_padding_that_is_there_for_no_neighbour_changes_nothing(model_type):
    detector, images = tiny_detector(model_type), images_of([(61, 90)])
    more = (0, 70, 0, 35)
    padded = Images(F.pad(images.pixels, more, value=9.0), F.pad(images.mask, more), images.sizes)
    assert_equal_scenes(single_scenes(detector(padded))[0], detector(images))


@pytest.mark.fault
@pytest.mark.parametrize("model_type", ["rt_detr", "rt_detr_v2", "d_fine", "rf_detr"])
def test_an_image_with_fewer_cells_than_queries_is_enlarged(model_type):
    scene = tiny_detector(model_type)(images_of([(9, 7)]))
    assert scene.entities.boxes.shape == (1, 12, 4) and scene.entities.boxes.isfinite().all()


@pytest.mark.fault
def test_a_second_network_gives_each_image_the_same_maps(tmp_path):
    name, small = "resnet10t", {"stem_width": 8, "channels": [8, 8, 16, 16]}
    weights = tmp_path / "w.pth"
    import timm

    torch.save(timm.create_model(name, num_classes=0, **small).state_dict(), weights)
    detector, _ = first_stage(
        tiny_detector("detr"),
        lambda **dims: timm_backbone(**dims, name=name, frozen=True, weights=weights, **small),
    )
    together = single_scenes(detector(images_of(SIZES)))
    for size, scene in zip(SIZES, together, strict=True):
        assert_equal_scenes(scene, detector(images_of([size])))


@pytest.mark.parametrize("model_type", ["rt_detr", "d_fine", "rf_detr"])
def test_a_detector_is_trained_on_canvases_that_its_strides_do_not_divide(model_type):
    detector = tiny_detector(model_type, frozen=False).train()
    images = detector.padded(images_of([(61, 90), (96, 64)]))
    label = {"class_labels": torch.tensor([1]), "boxes": torch.tensor([[0.5, 0.5, 0.4, 0.6]])}
    loss = detector.run_network(images, [label, label]).loss
    loss.backward()
    assert loss.isfinite()
