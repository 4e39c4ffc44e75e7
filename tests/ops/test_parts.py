"""A batch in parts gives what the whole batch gives."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.parts import split
from rmlr_lightning.types import Pairs
from tests.scenes import random_images, random_scene
from tests.tasks.tiny_task import random_batch, tiny_task


def pairs_of(counts: list[int]) -> Pairs:
    """So many real pairs per image, numbered."""
    width = max(counts)
    mask = torch.arange(width) < torch.tensor(counts)[:, None]
    number = torch.arange(len(counts) * width).view(len(counts), width)
    return Pairs(number, number, number, mask)


@pytest.mark.parametrize("max_pairs", [1, 7, 8, 12, 20, 35, 36, 1000])
@pytest.mark.parametrize("same_size", [False, True])
def test_parts_hold_all_images_once_and_keep_the_bound(max_pairs, same_size):
    counts = [3, 0, 9, 1]
    scene, images = random_scene(4, 5), random_images(4)
    parts = split(scene, pairs_of(counts), images, max_pairs, same_size)
    real = [
        row[mask] for _, pairs, _ in parts for row, mask in zip(pairs[0], pairs[3], strict=True)
    ]
    expected = pairs_of(counts)
    assert [row.tolist() for row in real] == [
        row[mask].tolist() for row, mask in zip(expected.human, expected.mask, strict=True)
    ]
    assert torch.equal(torch.cat([part[0].entities.boxes for part in parts]), scene.entities.boxes)
    assert torch.equal(torch.cat([part[2].pixels for part in parts]), images.pixels)
    for _, pairs, _ in parts:
        assert len(pairs.mask) == 1 or pairs.mask.numel() <= max_pairs
    if same_size:
        assert len({pairs.mask.shape for _, pairs, _ in parts}) == 1


def test_a_batch_within_the_bound_is_one_part():
    scene = random_scene(4, 5)
    pairs = pairs_of([3, 0, 9, 1])
    (part,) = split(scene, pairs, None, 36)
    assert part[0] is scene and part[1] is pairs


@pytest.mark.parametrize("max_pairs", [1, 20])
def test_the_prediction_in_parts_is_that_of_the_whole(max_pairs):
    task = tiny_task().eval()
    inputs = random_batch(5, seed=8).inputs
    with torch.no_grad():
        whole = task.model(inputs)
        task.model.max_pairs = max_pairs
        parts = task.model(inputs)
    real = whole.pairs.mask
    assert torch.equal(parts.pairs.mask, real) and real.sum() > 20
    for name in ("ire_tokens", "irm_tokens", "logits"):
        expected, found = getattr(whole, name), getattr(parts, name)
        assert found.shape == expected.shape
        torch.testing.assert_close(found[real], expected[real], atol=1e-6, rtol=1e-5)
    for one, other in zip(task.detect(whole), task.detect(parts), strict=True):
        torch.testing.assert_close(other.scores, one.scores, atol=1e-6, rtol=1e-5)


def test_a_bound_below_one_is_refused():
    with pytest.raises(UserError, match=r"model\.max_pairs=0"):
        tiny_task(max_pairs=0)
