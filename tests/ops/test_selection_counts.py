"""What the selection drops, against the selection itself and against pairs by hand."""

from pathlib import Path

import jaxtyping
import pytest
import torch
from torchvision.ops import box_iou

from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.data.collate import collate_entities
from rmlr_lightning.data.truth import true_entities
from rmlr_lightning.metrics.selection import SelectionReport
from rmlr_lightning.ops.nms import class_nms
from rmlr_lightning.ops.selection import Selection, select, select_entities
from rmlr_lightning.ops.selection_counts import found_pairs, selection_counts
from rmlr_lightning.types import Entities
from tests.scenes import random_entities, target_of

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "hicodet"


@pytest.mark.parametrize("subject", [0, None])
@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(score_threshold=0.5, nms_iou=0.3, min_instances=2, max_instances=4),
        Selection(score_threshold=0.9, min_instances=6, max_instances=5),
        Selection(score_threshold=0.0, nms_iou=0.2, clamp="never"),
    ],
)
def test_every_entity_counts_for_one_reason(selection, subject):
    for seed in range(4):
        entities = random_entities(3, 40, seed)
        counts = selection_counts(entities, selection, subject)
        selected = select_entities(entities, selection, subject=subject)
        human = selected.labels == 0
        groups = [human, ~human] if subject == 0 else [torch.ones_like(human)]
        expected = torch.stack([(group & selected.mask).sum(1) for group in groups], 1)
        assert torch.equal(counts.selected, expected)
        assert torch.equal(counts.detected, sum(counts[1:]))
        assert (counts.detected.sum(1) == entities.mask.sum(1)).all()
        assert all((count >= 0).all() for count in counts)

        # by hand: what NMS leaves, and of that what has too low a score
        survives = class_nms(entities, selection.nms_iou)
        assert torch.equal(counts.duplicates.sum(1), (entities.mask & ~survives).sum(1))
        kept = torch.zeros_like(survives)
        index, mask = select(entities, selection, subject=subject)
        kept[torch.arange(3)[:, None].expand_as(index)[mask], index[mask]] = True
        low = survives & ~kept & (entities.scores < selection.score_threshold)
        assert torch.equal(counts.low_score.sum(1), low.sum(1))


@pytest.mark.fault
def test_of_thirty_people_the_limit_leaves_fifteen():
    corners = torch.arange(30)[:, None] * torch.tensor([0.03, 0.0])
    boxes = torch.cat([corners, corners + torch.tensor([0.02, 0.5])], 1)[None]
    entities = Entities(
        boxes,
        torch.linspace(1, 0.3, 30)[None],
        torch.zeros(1, 30, dtype=torch.long),
        torch.zeros(1, 30, 0),
        torch.ones(1, 30, dtype=torch.bool),
    )
    counts = selection_counts(entities, Selection())
    assert [int(count[0, 0]) for count in counts] == [30, 0, 0, 15, 15]
    low = selection_counts(entities._replace(scores=entities.scores * 0.1), Selection())
    assert [int(count[0, 0]) for count in low] == [30, 0, 27, 0, 3]
    overlapping = selection_counts(
        entities._replace(boxes=boxes[:, :1].expand(1, 30, 4)), Selection()
    )
    assert [int(count[0, 0]) for count in overlapping] == [30, 29, 0, 0, 1]


@pytest.mark.parametrize("subject", [0, None])
def test_a_pair_is_found_if_two_different_entities_match_it(subject):
    for seed in range(6):
        entities = random_entities(1, 12, seed)
        boxes, labels = entities.boxes[0], entities.labels[0]
        g = torch.Generator().manual_seed(seed)
        pick = torch.randint(0, 12, (20, 2), generator=g)
        true_h = boxes[pick[:, 0]] + 0.05 * torch.rand(20, 4, generator=g)
        true_o = boxes[pick[:, 1]] + 0.05 * torch.rand(20, 4, generator=g)
        objects = labels[pick[:, 1]]
        iou_h, iou_o = box_iou(boxes, true_h), box_iou(boxes, true_o)
        expected = [
            any(
                i != j
                and (subject is None or labels[i] == subject)
                and labels[j] == objects[pair]
                and min(iou_h[i, pair], iou_o[j, pair]) >= 0.5
                for i in range(12)
                for j in range(12)
            )
            for pair in range(20)
        ]
        found = found_pairs(boxes, labels, true_h, true_o, objects, subject)
        assert found.tolist() == expected


def report_of(targets, selection) -> dict[str, float]:
    """Of the true boxes as detections."""
    report = SelectionReport(selection)
    for start in range(0, len(targets), 64):
        part = targets[start : start + 64]
        sizes = torch.stack([target.size for target in part])
        boxes = [true_entities(target, size) for target, size in zip(part, sizes, strict=True)]
        detected = collate_entities(boxes)
        report.update(detected, select_entities(detected, selection), sizes, part)
    return {name: float(value) for name, value in report.compute().items()}


@pytest.mark.fault
def test_a_person_without_a_second_entity_is_no_pair():
    """Two annotated people of nearly one box become one by NMS: they cannot be paired."""
    target = target_of([[10, 10, 50, 90]], [[11, 10, 51, 90]], [0], [0])
    values = report_of([target], Selection())
    assert values["selection_recall_detected"] == 1 and values["selection_recall"] == 0
    assert report_of([target], Selection(nms_iou=1.0))["selection_recall"] == 1


@pytest.fixture
def unchecked_shapes():
    """Half the time of a large data set; the tests above check the shapes."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="HICO-DET's annotations are not here")
def test_hicodets_true_boxes_lose_988_of_33405_interactions(unchecked_shapes):
    """899 if a person could be their own partner, which no pair is."""
    targets = read_hicodet(REAL / "instances_test2015.json").targets
    values = report_of(targets, Selection())
    assert values["selection_interactions"] == 33_405
    assert values["selection_recall_detected"] == 1
    assert values["selection_recall"] == pytest.approx((33_405 - 988) / 33_405)
    assert values["selection_people_over_limit"] == 417
    assert values["selection_objects_over_limit"] == 277
