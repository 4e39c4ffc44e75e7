import pytest
import torch
from torchvision.ops import box_iou

from rmlr_lightning.ops.boxes import area, batched_iou, paired_iou, shifted, to_pixels, union_box
from tests.scenes import random_entities


def test_batched_iou_is_torchvisions_image_by_image():
    boxes = random_entities(3, 7).boxes
    expected = torch.stack([box_iou(a, b) for a, b in zip(boxes, boxes.flip(1), strict=True)])
    torch.testing.assert_close(batched_iou(boxes, boxes.flip(1)), expected)


def test_empty_boxes_overlap_nothing():
    point = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
    assert paired_iou(point, point).item() == 0
    assert paired_iou(point, torch.tensor([[0.0, 0.0, 1.0, 1.0]])).item() == 0


def test_union_box_contains_both_and_is_tight():
    a, b = random_entities(1, 9, seed=1).boxes[0], random_entities(1, 9, seed=2).boxes[0]
    both = union_box(a, b)
    assert torch.equal(both[:, :2], torch.minimum(a, b)[:, :2])
    assert torch.equal(both[:, 2:], torch.maximum(a, b)[:, 2:])
    assert (area(both) >= torch.maximum(area(a), area(b))).all()


def test_to_pixels_is_width_height_twice():
    assert to_pixels(torch.tensor([3, 5])).tolist() == [5, 3, 5, 3]
    assert to_pixels(torch.tensor([[3, 5], [7, 2]])).tolist() == [[5, 3, 5, 3], [2, 7, 2, 7]]


def test_shifted_boxes_are_off_by_a_share_of_their_sides():
    """500 equal boxes, far from the image's edge: twice as wide as high."""
    boxes = torch.tensor([0.3, 0.4, 0.7, 0.6]).repeat(500, 1)
    shifts = shifted(boxes, 0.1, 7) - boxes
    assert shifts.std(0).tolist() == pytest.approx([0.04, 0.02, 0.04, 0.02], rel=0.15)
    assert shifts.mean(0).abs().max() < 0.005


def test_shifted_boxes_follow_from_the_seed_and_stay_boxes():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]]).repeat(50, 1)
    once, again, other = (shifted(boxes, 0.1, seed) for seed in (7, 7, 8))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert once.min() >= 0 and once.max() <= 1 and (once[:, 2:] >= once[:, :2]).all()
    # a box without sides has none to be moved by
    assert torch.equal(once[1::2], boxes[1::2])
