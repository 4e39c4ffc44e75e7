"""Batches padded to few sizes keep every real value, and so every loss and gradient."""

import pytest
import torch

from rmlr_lightning.ops.capacity import Capacities, levels
from rmlr_lightning.ops.parts import images_of
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.types import Inputs
from tests.scenes import random_images
from tests.tasks.tiny_task import LOSSES, random_batch, tiny_task


@pytest.mark.parametrize("subject", [0, None])
@pytest.mark.parametrize("count", [1, 3, 15, 100])
def test_the_levels_grow_to_all_that_the_selection_allows(count, subject):
    found = levels(Selection(max_instances=count), subject)
    assert len(found) == 4 and found == sorted(found)
    groups = 1 if subject is None else 2
    assert found[-1].entities >= groups * count
    assert found[-1].pairs >= count * (groups * count - 1)


def test_shapes_alone_decide_and_there_are_no_more_than_four():
    capacities = Capacities(Selection(max_instances=4), 0)
    shapes = set()
    for entities in range(2, 10):
        batch = random_batch(2, entities, entities)
        scene, pairs, _ = tiny_task().model.candidates(batch.inputs)
        scene, pairs, images = capacities.pad(scene, pairs, None)
        shapes.add((scene.entities.mask.shape, pairs.mask.shape))
        assert images is None
        # a map of another size would need one more graph
        assert scene.memory.shape[2:] == (6, 8)
    assert 1 < len(shapes) <= 4


def test_a_reserved_canvas_holds_all_maps():
    batch, images = random_batch(2), random_images(2, 48, 60)
    scene, pairs, _ = tiny_task().model.candidates(batch.inputs)
    small = scene._replace(
        memory=scene.memory[..., :5, :7], memory_mask=scene.memory_mask[:, :5, :7]
    )
    capacities = Capacities(Selection(max_instances=4), 0)
    capacities.reserve({"memory": (7, 8), "pixels": (50, 64)}, 9)
    for one in (scene, small):
        padded, _, shown = capacities.pad(one, pairs, images)
        assert padded.memory.shape[2:] == padded.memory_mask.shape[1:] == (8, 8)
        assert torch.equal(padded.memory_mask.sum((1, 2)), one.memory_mask.sum((1, 2)))
        assert shown.pixels.shape[2:] == shown.mask.shape[1:] == (50, 64)
    assert capacities.pad_truth(batch.truth).verbs.shape[1] == 16


def test_padding_changes_no_loss_and_no_gradient():
    task = tiny_task({name: LOSSES[name] for name in ("interaction", "sentence_ire", "word_ire")})
    batch = random_batch(3, seed=4)
    scene, pairs, _ = task.model.candidates(batch.inputs)
    capacities = Capacities(Selection(max_instances=9), 0)
    capacities.reserve({"memory": (9, 13)}, 20)
    tight = scene, pairs, None, batch.truth
    padded = *capacities.pad(scene, pairs, None), capacities.pad_truth(batch.truth)

    found = []
    for part in (tight, padded):
        task.zero_grad()
        terms, _ = task.terms(*part)
        terms.sum().backward()
        gradients = [weight.grad for weight in task.parameters() if weight.grad is not None]
        found.append([terms.detach(), *gradients])
    assert len(found[0]) > 40
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, atol=1e-6, rtol=1e-4)


def test_candidates_of_the_loader_are_those_of_the_model():
    model, batch = tiny_task().model, random_batch(3)
    scene, pairs, detected = model.candidates(batch.inputs)
    assert detected is not None
    again = model.candidates(Inputs(None, scene, pairs=pairs))
    assert again[0] is scene and again[1] is pairs and again[2] is None
    assert torch.equal(images_of(pairs, 1, 2).mask, pairs.mask[1:2])
