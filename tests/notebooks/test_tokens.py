import torch
from support.couples import couples, places
from support.tokens import ire_tokens, map_tokens, query_tokens, stack

from rmlr_lightning.data.truth import truth_of
from rmlr_lightning.metrics.twins import Twin
from rmlr_lightning.types import Entities, Pairs, Prediction, Scene, Target, Truth

BOX_H, BOX_O = torch.tensor([10.0, 10, 50, 90]), torch.tensor([60.0, 40, 80, 60])
DOG = 16


def target(name: str = "a.jpg", verbs: tuple[int, ...] = (0, 2)) -> Target:
    count = len(verbs)
    return Target(
        name,
        0,
        torch.tensor([100, 100]),
        BOX_H.repeat(count, 1),
        BOX_O.repeat(count, 1),
        torch.full((count,), DOG),
        torch.tensor(verbs),
        torch.zeros(count, dtype=torch.long),
    )


def truth(*arguments) -> Truth:
    annotated = target(*arguments)
    return truth_of(annotated, annotated.size, 4)


def scene(labels: tuple[int, ...] = (0, DOG, DOG), shift: float = 0.0) -> Scene:
    boxes = torch.stack([BOX_H, BOX_O + shift, BOX_O + shift + 2]) / 100
    entities = Entities(
        boxes[None],
        torch.full((1, 3), 0.1),
        torch.tensor([labels]),
        torch.arange(1.0, 7).view(1, 3, 2),
        torch.ones(1, 3, dtype=torch.bool),
    )
    memory = torch.zeros(1, 1, 10, 10)
    memory[..., 1:9, 1:5] = 1.0
    mask = torch.ones(1, 10, 10, dtype=torch.bool)
    return Scene(entities, memory, mask, torch.tensor([[100, 100]]))


def test_a_true_box_takes_the_query_that_fits_best():
    (tokens,) = query_tokens(scene(), [truth()])
    assert tokens.rows.tolist() == [[1, 2, 3, 4]]
    assert tokens.found.tolist() == [True]


def test_a_query_of_another_class_is_not_taken():
    (tokens,) = query_tokens(scene(labels=(0, 3, DOG)), [truth()])
    assert tokens.rows.tolist() == [[1, 2, 5, 6]]


def test_a_query_too_far_away_finds_nothing():
    (tokens,) = query_tokens(scene(shift=15.0), [truth()])
    assert not tokens.found.any() and not tokens.rows.any()


def test_the_map_is_read_where_the_boxes_are():
    (tokens,) = map_tokens(scene(), [truth()], cells=2)
    assert torch.equal(tokens.rows, torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0]]))


def test_a_pair_takes_the_candidate_at_its_boxes():
    real = torch.tensor([[True, True]])
    pairs = Pairs(torch.tensor([[0, 0]]), torch.tensor([[2, 1]]), torch.tensor([[DOG, DOG]]), real)
    ire = torch.tensor([[[7.0], [8.0]]])
    prediction = Prediction(scene(), pairs, ire, ire, torch.zeros(1, 2, 4))
    (tokens,) = ire_tokens(prediction, [truth()])
    assert tokens.rows.tolist() == [[8.0]]
    (none,) = ire_tokens(prediction._replace(pairs=pairs._replace(mask=~real)), [truth()])
    assert none.found.tolist() == [False]


def test_twins_are_joined_across_images():
    targets = [target("a.jpg", (0,)), target("other.jpg", (3,)), target("b.jpg", (1,))]
    targets[1] = targets[1]._replace(boxes_h=targets[1].boxes_h + 30)
    truths = [truth_of(t, t.size, 4) for t in targets]
    twins = {
        "a.jpg": [Twin(BOX_H, BOX_O, DOG, (0,), (1,))],
        "b.jpg": [Twin(BOX_H, BOX_O, DOG, (1,), (0,))],
        "absent.jpg": [Twin(BOX_H, BOX_O, DOG, (1,), (0,))],
    }
    (couple,) = couples(twins, truths, targets)
    assert {(couple.a, couple.verbs_a), (couple.b, couple.verbs_b)} == {(0, (0,)), (2, (1,))}
    assert places([couple], truths) in ([0, 1, 0], [2, 1, 2])


def test_images_are_stacked_in_order():
    both = query_tokens(scene(), [truth()])
    assert stack(both + both).found.tolist() == [True, True]
