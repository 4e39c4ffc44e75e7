"""Single scenes side by side."""

import pytest
import torch
from support import mosaic

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.types import Prediction
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_scene, target_of

GRID = mosaic.Grid(2, 3)
SCENES = [random_scene(1, 5, seed) for seed in range(6)]
TARGETS = [
    target_of([[10, 20, 60 + n, 90]], [[30, 40, 80, 110]], [1], [n], image_id=n) for n in range(6)
]


@pytest.mark.parametrize(
    ("count", "grid"),
    [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (7, (1, 7)), (8, (2, 4)), (15, (3, 5)), (30, (5, 6))],
)
def test_grids_are_full_and_no_higher_than_wide(count, grid):
    assert mosaic.grid_of(count) == grid


def test_each_cell_of_a_mosaic_is_its_scene():
    whole = mosaic.mosaic(SCENES, GRID)
    height, width = SCENES[0].memory.shape[2:]
    assert whole.sizes.tolist() == [[240, 480]]
    for cell, scene in enumerate(SCENES):
        row, column = divmod(cell, 3)
        part = whole.memory[
            ..., row * height : (row + 1) * height, column * width : (column + 1) * width
        ]
        assert torch.equal(part, scene.memory)
        entities = [field[:, cell * 5 : cell * 5 + 5] for field in whole.entities]
        assert all(map(torch.equal, entities[1:], scene.entities[1:]))
        back = entities[0] * torch.tensor([3.0, 2, 3, 2]) - torch.tensor([column, row, column, row])
        torch.testing.assert_close(back, scene.entities.boxes)


def test_truth_moves_as_entities_do():
    entities = [mosaic.true_boxes(s, t) for s, t in zip(SCENES, TARGETS, strict=True)]
    whole, truth = mosaic.mosaic(entities, GRID), mosaic.mosaic_target(TARGETS, GRID, 9)
    pixels = whole.entities.boxes[0] * truth.size.flip(0).repeat(2)
    people = pixels[whole.entities.labels[0] == 0]
    torch.testing.assert_close(people, truth.boxes_h.float())
    assert truth.image_id == 9 and truth.verbs.tolist() == list(range(6))


def test_a_placed_target_is_its_part_of_the_whole():
    whole = mosaic.mosaic_target(TARGETS, GRID, 0)
    placed = mosaic.place(TARGETS[4], 4, GRID)
    assert torch.equal(placed.boxes_o[0], whole.boxes_o[4]) and torch.equal(placed.size, whole.size)


@pytest.mark.parametrize(
    "scenes", [SCENES[:5], [*SCENES[:5], SCENES[5]._replace(sizes=torch.tensor([[100, 100]]))]]
)
def test_a_mosaic_of_too_few_scenes_or_of_two_sizes_is_refused(scenes):
    with pytest.raises(UserError, match="2 x 3") as caught:
        mosaic.mosaic(scenes, GRID)
    assert "\n" not in str(caught.value)


def test_a_true_box_has_the_token_of_the_query_that_fits_it_best():
    scene = random_scene(1, 5, 3)
    seen = scene.entities
    boxes = seen.boxes.clone()
    boxes[0, 2] = torch.tensor([10 / 160, 20 / 120, 60 / 160, 88 / 120])  # a person, almost
    boxes[0, 3] = torch.tensor(
        [10 / 160, 20 / 120, 60 / 160, 90 / 120]
    )  # exactly, but not a person
    labels, mask = torch.tensor([[2, 2, 0, 2, 1]]), torch.ones(1, 5, dtype=torch.bool)
    scene = scene._replace(entities=seen._replace(boxes=boxes, labels=labels, mask=mask))
    found = mosaic.true_boxes(scene, TARGETS[0]).entities
    assert found.labels.tolist() == [[0, 1]] and found.scores.tolist() == [[1, 1]]
    assert torch.equal(found.tokens[0, 0], seen.tokens[0, 2])
    assert torch.equal(found.tokens[0, 1], seen.tokens[0, 4])


def test_one_at_a_time_keeps_places_and_shares_everybody_out():
    whole = mosaic.batch_scenes([mosaic.mosaic(SCENES, GRID), mosaic.mosaic(SCENES[::-1], GRID)])
    apart = mosaic.one_cell_at_a_time(whole, GRID)
    assert apart.entities.mask.shape == (12, 30)
    assert torch.equal(apart.entities.mask.view(2, 6, 30).sum(1), whole.entities.mask.long())
    for image, mask in enumerate(apart.entities.mask):
        cells = mosaic.cells_of(apart.entities, GRID)[image, mask]
        assert (cells == image % 6).all()
    assert torch.equal(apart.entities.boxes[7], whole.entities.boxes[1])


def test_own_pairs_are_those_of_the_scenes_by_themselves():
    whole = mosaic.mosaic(SCENES, GRID)
    allowed = hicodet().valid_pairs()
    pairs = pair(whole.entities, allowed)
    own = mosaic.own_pairs(Prediction(whole, pairs, None, None, None), GRID).pairs
    alone = sum(int(pair(scene.entities, allowed).mask.sum()) for scene in SCENES)
    assert int(own.mask.sum()) == alone < int(pairs.mask.sum())


def test_images_with_one_pair_that_interacts_are_found():
    nothing = hicodet().verbs.index("no_interaction")
    box, other, third = [0, 0, 9, 9], [20, 20, 30, 30], [50, 50, 60, 60]
    targets = [
        target_of([box, box], [other, other], [1, 1], [4, 5]),  # one pair, two verbs
        target_of([box, third], [other, other], [1, 1], [4, nothing]),  # somebody else does nothing
        target_of([box, third], [other, other], [1, 1], [4, 4]),
        target_of([box], [other], [1], [nothing]),
        target_of([], [], [], []),
    ]
    assert mosaic.single_pairs(targets, hicodet()) == [0, 1]
