"""V-COCO's metric against a reference in loops, and its invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmlr_lightning.metrics import RoleDetections, VCOCORoleAP, role_detections, vcoco_truth
from rmlr_lightning.metrics.vcoco import RoleTable, score_vcoco
from rmlr_lightning.types import Detections
from tests.metrics import tiny_worlds
from tests.metrics import vcoco_reference as reference

ACTIONS = [("hold", ["agent", "obj"]), ("walk", ["agent"]), ("cut", ["agent", "instr", "obj"])]
ROLES = [(a, r) for a, (_, roles) in enumerate(ACTIONS) for r in range(len(roles))]
NAN = (math.nan,) * 4

corner = st.sampled_from([-1, 0, 1, 2, 4])
side = st.sampled_from([0, 1, 2, 3, 3, 5])
xywh = st.tuples(corner, corner, side, side)


def corners(box):
    return (box[0], box[1], box[0] + box[2], box[1] + box[3])


xyxy = xywh.map(corners)
empty = st.sampled_from([NAN, (0, 0, 0, 0)])
score = st.sampled_from([0.0, 0.25, 0.5, 0.5, 0.5, 1.0])
often = st.sampled_from([True, True, False])  # else hardly any detection is a true positive
# A person: box, annotated, and for each action: is it done, with which objects (-1 = none).
does = st.lists(st.tuples(often, st.integers(-1, 2), st.integers(-1, 2)), min_size=3, max_size=3)
large = st.tuples(*[st.sampled_from([0, 1])] * 2, *[st.sampled_from([4, 5])] * 2)
person = st.tuples(st.one_of(large, large, xywh), often, does, st.sampled_from([50.5, 1, 0]))
objects = st.lists(xywh.map(lambda b: (*b[:2], b[2] + 2, b[3] + 2)), min_size=3, max_size=3)


@st.composite
def images(draw):
    """Annotations and detections; about half of the boxes are annotated ones."""
    size = draw(st.sampled_from([2, 1, 0]))
    people = draw(st.lists(person, min_size=size, max_size=size + 1))
    others = draw(objects)
    human = st.one_of(xyxy, *(st.just(corners(box)) for box, *_ in people))
    obj = st.one_of(xyxy, empty, st.sampled_from([corners(box) for box in others]))
    detection = st.tuples(human, obj, st.sampled_from(ROLES), score)
    size = draw(st.sampled_from([4, 8, 1, 0]))
    return people, others, draw(st.lists(detection, min_size=size, max_size=size + 3))


worlds = st.lists(images(), min_size=1, max_size=5)


def official(world):
    """A world in the official layout. Image ids descend: the order of ties is not ascending."""
    ids = [1000 - number for number in range(len(world))]
    entities, actions = (
        [],
        [
            {
                "action_name": name,
                "role_name": roles,
                "image_id": [],
                "ann_id": [],
                "label": [],
                "links": [],
            }
            for name, roles in ACTIONS
        ],
    )
    for image_id, (people, others, _) in zip(ids, world, strict=True):
        first = 10 * image_id
        for number, box in enumerate(others):
            entities.append(
                {
                    "id": first + number,
                    "image_id": image_id,
                    "category_id": 44,
                    "bbox": box,
                    "area": 9.5,
                }
            )
        for number, (box, annotated, acts, area) in enumerate(people, start=3):
            entities.append(
                {
                    "id": first + number,
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": box,
                    "area": area,
                }
            )
            for action, (done, *linked) in zip(actions, acts, strict=True):
                if annotated:
                    action["image_id"].append(image_id)
                    action["ann_id"].append(first + number)
                    action["label"].append(int(done))
                    action["links"].append(
                        [first + number] + [first + obj if obj >= 0 else 0 for obj in linked]
                    )
    for action in actions:
        roles = len(action["role_name"])
        action["role_object_id"] = [row[r] for r in range(roles) for row in action["links"]]
    images = [
        {"id": image_id, "width": 7, "height": 6, "file_name": f"{image_id}.jpg"}
        for image_id in ids
    ]
    return {"coco": {"images": images, "annotations": entities}, "vcoco": actions, "ids": ids}


def target(image_id):
    """Of the annotations in the batch only the id counts."""
    return tiny_worlds.target(image_id, [])


def as_they_are(image_id, detections):
    """For role detections that are made by the test itself."""
    return detections._replace(image_id=image_id)


def rows_of(world, ids):
    return {
        image_id: [(human, obj, *role, value) for human, obj, role, value in image[2]]
        for image_id, image in zip(ids, world, strict=True)
    }


def item(image_id, rows):
    return RoleDetections(
        image_id,
        torch.tensor([r[0] for r in rows], dtype=torch.float32).reshape(-1, 4),
        torch.tensor([r[1] for r in rows], dtype=torch.float32).reshape(-1, 4),
        torch.tensor([r[2] for r in rows], dtype=torch.int64),
        torch.tensor([r[3] for r in rows], dtype=torch.int64),
        torch.tensor([r[4] for r in rows], dtype=torch.float32),
    )


def assert_exact(metric, files, rows):
    results = metric.results()
    for name, scenario in (("scenario_1", 1), ("scenario_2", 2), ("agent", None)):
        expected = reference.all_ap(files, rows, scenario)
        assert results[name].names == list(expected)
        assert results[name].ap.tolist() == pytest.approx(
            list(expected.values()), abs=1e-12, nan_ok=True
        )
        known = [value for value in expected.values() if not math.isnan(value)]
        mean = sum(known) / len(known) if known else math.nan
        assert results[name].mean == pytest.approx(mean, abs=1e-12, nan_ok=True)


def truth_of(files):
    return vcoco_truth(files["coco"], files["vcoco"], files["ids"])


@settings(max_examples=400, deadline=None)
@given(worlds)
def test_equals_the_reference(world):
    files = official(world)
    rows = rows_of(world, files["ids"])
    metric = VCOCORoleAP(truth_of(files), roles_of=as_they_are)
    metric.update([item(*entry) for entry in rows.items()], [target(i) for i in rows])
    assert_exact(metric, files, rows)


@settings(max_examples=100, deadline=None)
@given(worlds, st.randoms(use_true_random=False))
def test_order_batches_repeats_and_merging_change_nothing(world, random):
    files = official(world)
    rows = rows_of(world, files["ids"])
    order = list(files["ids"])
    random.shuffle(order)
    cut = random.randrange(len(order) + 1)
    metrics = [VCOCORoleAP(truth_of(files), roles_of=as_they_are) for _ in range(2)]
    for metric, part in zip(metrics, (order[:cut], order[cut:] + order[:1]), strict=True):
        for image_id in part:
            times = random.randrange(1, 3)
            metric.update([item(image_id, rows[image_id])] * times, [target(image_id)] * times)
    metrics[0].merge_state(metrics[1])
    assert_exact(metrics[0], files, rows)


def test_no_detections_and_no_positives():
    walking = ((0, 0, 5, 5), True, [(False, -1, -1), (True, -1, -1), (False, -1, -1)], 9)
    files = official([([walking], [(0, 0, 3, 3)] * 3, [])])
    metric = VCOCORoleAP(truth_of(files))
    metric.update([], [])
    assert metric.results()["agent"].ap.tolist() == pytest.approx(
        [math.nan, 0.0, math.nan], nan_ok=True
    )
    values = metric.compute()
    assert values["agent_ap"] == 0 and math.isnan(values["role_ap_s1"])


def test_without_any_person_every_detection_is_wrong():
    files = official([([], [(0, 0, 3, 3)] * 3, [])])
    metric = VCOCORoleAP(truth_of(files), roles_of=as_they_are)
    metric.update([item(1000, [((0, 0, 1, 1), NAN, 0, 1, 0.5)])], [target(1000)])
    role = metric.results()["scenario_1"]
    assert role.detections.sum() == 1 and len(role.curve.true) == 0 and np.isnan(role.ap).all()


def test_what_is_not_in_the_truth_is_refused():
    files = official([([], [(0, 0, 3, 3)] * 3, [])])
    metric = VCOCORoleAP(truth_of(files), roles_of=as_they_are)
    good = item(1000, [((0, 0, 1, 1), NAN, 0, 1, 0.5)])
    for bad, image_id, message in (
        (good, 5, "image 5"),
        (good._replace(actions=torch.tensor([1])), 1000, "V-COCO does not have"),
        (good._replace(actions=torch.tensor([3])), 1000, "V-COCO does not have"),
        (good._replace(scores=torch.tensor([math.nan])), 1000, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.update([bad], [target(image_id)])
    with pytest.raises(ValueError, match="one item per image"):
        metric.update([good], [])


def test_a_hoi_models_detections_are_scored_as_their_roles():
    """`update` on pairs of verbs equals `update` on the role detections made of them."""
    doing = [(True, 0, -1), (False, -1, -1), (False, -1, -1)]
    files = official([([((0, 0, 5, 5), True, doing, 9)], [(0, 0, 3, 3)] * 3, [])])
    box_h, box_o = torch.tensor([[0.0, 0, 5, 5]]), torch.tensor([[0.0, 0, 3, 3]])
    one = torch.tensor([0])
    found = Detections(box_h, box_o, one + 44, one, torch.tensor([0.5]))

    def roles_of(image_id, detections):
        return role_detections(image_id, detections, action_roles=[(0, 1)])

    direct = VCOCORoleAP(truth_of(files), roles_of=roles_of)
    direct.update([found], [target(1000)])
    of_roles = VCOCORoleAP(truth_of(files), roles_of=as_they_are)
    of_roles.update([roles_of(1000, found)], [target(1000)])
    assert direct.results()["agent"].ap[0] == direct.results()["scenario_1"].ap[0] == 1
    for name, value in of_roles.compute().items():
        assert torch.equal(direct.compute()[name].nan_to_num(-1), value.nan_to_num(-1))


def test_a_hoi_models_detections_become_roles_and_one_agent_row_a_person_and_action():
    boxes_h = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 9], [5, 5, 9, 9]])
    found = Detections(
        boxes_h,
        boxes_h + 1,
        torch.tensor([1, 2, 3]),
        torch.tensor([0, 0, 1]),
        torch.tensor([0.9, 0.95, 0.4]),
    )
    rows = role_detections(7, found, action_roles=[(0, 1), (2, 2)])
    assert rows.image_id == 7
    assert list(zip(rows.actions.tolist(), rows.roles.tolist(), strict=True)) == [
        (0, 1),
        (0, 1),
        (2, 2),
        (0, 0),
        (2, 0),
    ]
    assert rows.scores.tolist() == pytest.approx([0.9, 0.95, 0.4, 0.95, 0.4])
    assert rows.boxes_o[3:].isnan().all()
    without_rows = role_detections(7, Detections(*(column[:0] for column in found)))
    assert len(without_rows.scores) == 0


def of_two_images():
    """The same detection in two images, one after the other; a person is there in one of them."""
    box, others = (0, 0, 4, 4), [(0, 0, 3, 3)] * 3
    does = [(True, 0, 0), (True, -1, -1), (False, -1, -1)]
    found = [((0, 0, 4, 4), (0, 0, 3, 3), (0, 1), 0.5)]
    return official([([], others, found), ([(box, True, does, 50.5)], others, found)]), found[0]


@pytest.mark.parametrize("reverse", [False, True])
def test_equal_boxes_in_two_images_are_two_people(reverse):
    files, (human, obj, (action, role), value) = of_two_images()
    truth = truth_of(files)
    boxes = np.array([human, human], dtype=np.float32), np.array([obj, obj], dtype=np.float32)
    images = np.array([1, 0] if reverse else [0, 1])
    numbers = (np.array([action] * 2), np.array([role] * 2), np.array([value] * 2))
    rows = RoleTable(images, *boxes, *numbers)
    result = score_vcoco(truth, rows)["scenario_1"]
    expected = reference.all_ap(
        files, {i: [(human, obj, action, role, value)] for i in files["ids"]}, 1
    )
    assert result.ap.tolist() == pytest.approx(list(expected.values()), nan_ok=True)
    assert 0 < np.nanmax(result.ap) < 1


def test_a_part_numbers_its_classes_from_0():
    files, _ = of_two_images()
    rows = rows_of([([], [], [((0, 0, 4, 4), NAN, (1, 0), 0.5)])] * 2, files["ids"])
    metric = VCOCORoleAP(truth_of(files), roles_of=as_they_are)
    metric.update([item(*entry) for entry in rows.items()], [target(i) for i in rows])
    agent = metric.results()["agent"]
    assert agent.curve.classes.tolist() == [agent.names.index("walk")]
