"""Against torchvision's RoIAlign."""

import pytest
import torch
from torchvision.ops import roi_align as torchvision_roi_align

from rmlr_lightning.ops import roi
from rmlr_lightning.ops.roi import roi_align

EDGES = {
    "full": [0.0, 0.0, 1.0, 1.0],
    "empty": [0.3, 0.6, 0.3, 0.6],
    "empty corner": [1.0, 1.0, 1.0, 1.0],
    "line": [0.2, 0.5, 0.9, 0.5],
    "left": [0.0, 0.3, 0.1, 0.7],
    "right": [0.9, 0.3, 1.0, 0.7],
    "top": [0.3, 0.0, 0.6, 0.05],
    "bottom": [0.3, 0.97, 0.6, 1.0],
    "within a cell": [0.51, 0.51, 0.53, 0.52],
    "on cell edges": [0.25, 0.5, 0.75, 1.0],
}


def expected(features, boxes, size, samples=2):
    scale = features.new_tensor([features.shape[-1], features.shape[-2]] * 2)
    cells = torchvision_roi_align(
        features, list(boxes * scale), size, sampling_ratio=samples, aligned=True
    )
    return cells.permute(0, 2, 3, 1).flatten(1).view(*boxes.shape[:2], -1)


def random_boxes(batch, count):
    corners = torch.rand(batch, count, 2, 2, dtype=torch.float64)
    return torch.cat([corners.amin(2), corners.amax(2)], -1)


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_random_boxes_are_read_as_by_roi_align(size, samples):
    features, boxes = torch.randn(3, 5, 6, 9, dtype=torch.float64), random_boxes(3, 20)
    torch.testing.assert_close(
        roi_align(features, boxes, size, samples=samples), expected(features, boxes, size, samples)
    )


@pytest.mark.parametrize("box", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("extent", [(8, 12), (12, 8), (1, 1), (1, 5), (5, 1)])
def test_edge_boxes_are_read_as_by_roi_align(box, extent):
    features, boxes = (
        torch.randn(2, 3, *extent, dtype=torch.float64),
        torch.tensor([[box]] * 2).double(),
    )
    torch.testing.assert_close(roi_align(features, boxes, 4), expected(features, boxes, 4))


def test_gradients_of_the_map_are_those_of_roi_align():
    features = torch.randn(2, 4, 7, 5, dtype=torch.float64, requires_grad=True)
    boxes = torch.cat([random_boxes(2, 6), torch.tensor([list(EDGES.values())] * 2).double()], 1)
    weights = torch.randn(2, boxes.shape[1], 9 * 4, dtype=torch.float64)
    ours, theirs = (
        torch.autograd.grad((read(features, boxes, 3) * weights).sum(), features)[0]
        for read in (roi_align, expected)
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("extent", [(4, 5), (5, 4)])
def test_a_map_without_boxes_gives_no_rows(extent):
    assert roi_align(torch.randn(2, 3, *extent), torch.zeros(2, 0, 4), 3).shape == (2, 0, 27)


def test_half_precision_maps_keep_their_kind():
    features, boxes = torch.randn(1, 3, 6, 8), random_boxes(1, 5).float()
    cells = roi_align(features.bfloat16(), boxes, 3)
    assert cells.dtype == torch.bfloat16
    torch.testing.assert_close(cells.float(), expected(features, boxes, 3), atol=0.05, rtol=0.05)


def test_images_read_in_parts_are_read_the_same(monkeypatch):
    maps, boxes, extents = (
        torch.randn(5, 6, 8, 12),
        random_boxes(5, 7).float(),
        torch.tensor([[8.0, 12.0]] * 4 + [[5.5, 9.0]]),
    )
    whole = roi_align(maps, boxes, 3, extents)
    for numbers in (1, 2 * 7 * 3 * 6 * 8):  # one image at a time; two, and one is left over
        monkeypatch.setattr(roi, "MAX_INTERMEDIATE", numbers)
        torch.testing.assert_close(roi_align(maps, boxes, 3, extents), whole)
        torch.testing.assert_close(
            roi_align(maps, boxes, 3, extents, project=torch.sin), whole.sin()
        )
