import pytest
import torch
from torchvision.ops import box_iou

from rmlr_lightning.ops.selection import Selection, gather_entities, select, select_entities
from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import PERSON
from tests.scenes import random_scene


def picked_from(entities: Entities, selection: Selection | None = None) -> Entities:
    return gather_entities(entities, select(entities, selection or Selection()))


def slow_selection(entities: Entities, image: int, selection: Selection) -> list[int]:
    """One image by hand: greedy NMS, then each group by score; indices, humans first."""
    order = sorted(
        (i for i in range(entities.mask.shape[1]) if entities.mask[image, i]),
        key=lambda i: -entities.scores[image, i].item(),
    )
    survivors: list[int] = []
    for i in order:
        duplicates = (
            entities.labels[image, i] == entities.labels[image, j]
            and box_iou(entities.boxes[image, i][None], entities.boxes[image, j][None]).item()
            > selection.nms_iou
            for j in survivors
        )
        if not any(duplicates):
            survivors.append(i)
    kept = []
    for human in (True, False):
        group = [i for i in survivors if (entities.labels[image, i] == PERSON).item() is human]
        confident = [i for i in group if entities.scores[image, i] >= selection.score_threshold]
        kept += (
            confident
            if len(confident) >= selection.min_instances
            else group[: selection.min_instances]
        )[: selection.max_instances]
    return kept


def test_agrees_with_selection_by_hand():
    selection = Selection(score_threshold=0.5, nms_iou=0.3, min_instances=2, max_instances=4)
    for seed in range(20):
        scene = random_scene(3, 24, seed)
        picked = picked_from(scene.entities, selection)
        for image in range(3):
            expected = slow_selection(scene.entities, image, selection)
            assert torch.equal(
                picked.boxes[image][picked.mask[image]], scene.entities.boxes[image][expected]
            )
            assert torch.equal(
                picked.tokens[image][picked.mask[image]], scene.entities.tokens[image][expected]
            )


def test_equal_boxes_of_other_images_and_classes_are_no_duplicates():
    scene = random_scene(3, 6)
    entities = scene.entities._replace(
        boxes=scene.entities.boxes[:1, :1].expand(3, 6, 4),
        labels=torch.arange(6).expand(3, 6),
        scores=torch.linspace(0.9, 0.5, 6).expand(3, 6),
        mask=torch.ones(3, 6, dtype=torch.bool),
    )
    assert picked_from(entities).mask.sum(1).tolist() == [6, 6, 6]


def test_real_entities_come_first_and_padding_is_zero():
    picked = picked_from(random_scene(4, 12).entities)
    assert (picked.mask.long().diff(dim=1) <= 0).all()
    assert picked.tokens[~picked.mask].abs().sum() == 0
    assert picked.boxes[~picked.mask].abs().sum() == 0


def test_an_image_without_entities_selects_none():
    scene = random_scene(2, 6)
    nothing = scene.entities._replace(mask=torch.zeros(2, 6, dtype=torch.bool))
    assert not picked_from(nothing).mask.any()


def test_one_image_alone_equals_the_same_image_in_a_batch():
    scene = random_scene(4, 16, seed=5)
    single_image = Entities(*(field[2:3] for field in scene.entities))
    together, single = picked_from(scene.entities), picked_from(single_image)
    assert torch.equal(together.boxes[2][together.mask[2]], single.boxes[0][single.mask[0]])


def test_without_a_subject_class_all_entities_are_one_group():
    entities = random_scene(1, 30, seed=3).entities
    selection = Selection(score_threshold=0.0, nms_iou=1.0, min_instances=0, max_instances=8)
    picked = gather_entities(entities, select(entities, selection, subject=None))
    best = torch.where(entities.mask, entities.scores, -1.0).sort(descending=True).values
    assert torch.equal(picked.scores, best[:, :8])


@pytest.mark.parametrize(
    ("clamp", "boxes"),
    [
        ("before_nms", [[0.0, 0.2, 0.4, 0.8]]),
        ("after_nms", [[0.0, 0.2, 0.4, 0.8], [0.02, 0.2, 0.4, 0.8]]),
        ("never", [[-0.4, 0.2, 0.4, 0.8], [0.02, 0.2, 0.4, 0.8]]),
    ],
)
def test_boxes_are_cut_to_the_image_before_or_after_nms_or_never(clamp, boxes):
    # inside the image the two people have nearly the same box, as a whole they do not
    entities = Entities(
        torch.tensor([[[-0.4, 0.2, 0.4, 0.8], [0.02, 0.2, 0.4, 0.8]]]),
        torch.tensor([[0.9, 0.8]]),
        torch.zeros(1, 2, dtype=torch.long),
        torch.zeros(1, 2, 1),
        torch.ones(1, 2, dtype=torch.bool),
    )
    picked = select_entities(entities, Selection(clamp=clamp))
    torch.testing.assert_close(picked.boxes[picked.mask], torch.tensor(boxes))


def test_boxes_far_outside_the_image_suppress_none_of_another_class():
    entities = Entities(
        torch.tensor([[[-3.0, 0.0, 5.0, 1.0], [-3.0, 0.0, 5.0, 1.0]]]),
        torch.tensor([[0.9, 0.8]]),
        torch.tensor([[0, 1]]),
        torch.zeros(1, 2, 1),
        torch.ones(1, 2, dtype=torch.bool),
    )
    assert select_entities(entities, Selection(clamp="never")).mask.sum() == 2


def entities_of(scores: list[float], labels: list[int]) -> Entities:
    """Of one image, side by side."""
    count = len(scores)
    left = torch.arange(count) / count
    boxes = torch.stack([left, left * 0, left + 0.5 / count, left * 0 + 1], 1)
    return Entities(
        boxes[None],
        torch.tensor([scores]),
        torch.tensor([labels]),
        torch.ones(1, count, 2),
        torch.ones(1, count, dtype=torch.bool),
    )


def test_defaults_are_those_of_upt_without_its_boxes_outside_and_its_idle_objects():
    assert tuple(Selection()) == (0.2, 0.5, 3, 15, "before_nms", False)


def test_a_score_of_exactly_the_threshold_is_confident():
    entities = entities_of([0.5, 0.25, 0.125], [0, 0, 0])
    selection = Selection(score_threshold=0.25, min_instances=0)
    assert picked_from(entities, selection).scores.tolist() == [[0.5, 0.25]]


def test_as_many_rows_as_the_fullest_image_needs():
    assert picked_from(entities_of([0.9, 0.8, 0.7], [0, 0, 1])).mask.tolist() == [[True] * 3]


def test_padding_is_zero_in_all_fields():
    entities = Entities(
        *(field.expand(2, *field.shape[1:]) for field in entities_of([0.9, 0.8], [3, 4]))
    )
    entities = entities._replace(mask=torch.tensor([[True, True], [True, False]]))
    picked = picked_from(entities)
    assert all(not field[1, 1].any() for field in picked)


def test_boxes_are_cut_at_all_sides_of_the_image():
    entities = entities_of([0.9], [0])._replace(boxes=torch.tensor([[[-0.5, -0.5, 1.5, 1.75]]]))
    assert select_entities(entities, Selection()).boxes.tolist() == [[[0.0, 0.0, 1.0, 1.0]]]
