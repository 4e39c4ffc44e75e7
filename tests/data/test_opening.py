"""One order of classes for all splits: names decide, whatever numbers each file has."""

from types import SimpleNamespace

import pytest
import torch

from rmlr_lightning.data.box_dataset import BoxDataset
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.transforms import ResizeExact
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.classes import Renumber, in_numbers_of, united, united_names
from rmlr_lightning.types import BoxTarget, Detections, Target
from rmlr_lightning.vocabulary import Vocabulary, hicodet, vcoco

TRAIN = Vocabulary(
    ("weld", "hold"), ((0, 1), (1, 1), (1, 2)), frozenset({2}), ("worker", "robot", "lamp"), 0
)
# the same data set by another file: other numbers, without "hold lamp", with "weld worker"
TEST = Vocabulary(("hold", "weld"), ((0, 0), (1, 0), (1, 1)), frozenset(), ("robot", "worker"), 1)
RESIZE = ResizeExact(32, 32)


def target(name, verbs, objects, vocabulary, **fields):
    table = vocabulary.hoi_table()
    hois = [-1 if o < 0 else int(table[o, v]) for v, o in zip(verbs, objects, strict=True)]
    boxes = torch.tensor([[1.0, 1, 9, 9]], dtype=torch.float64).repeat(len(verbs), 1)
    numbers = [torch.tensor(column) for column in (objects, verbs, hois)]
    return Target(name, int(name[0]), torch.tensor([32, 32]), boxes, boxes, *numbers, **fields)


def by_name(target, vocabulary):
    """(verb, object, HOI) of every row, by name."""
    return [
        (vocabulary.verbs[v], vocabulary.objects[o], vocabulary.hoi_name(h))
        for v, o, h in zip(
            target.verbs.tolist(), target.objects.tolist(), target.hois.tolist(), strict=True
        )
    ]


def test_the_first_keeps_its_numbers_and_others_follow():
    both = united({"train": TRAIN, "test": TEST})
    assert both == TRAIN._replace(hois=(*TRAIN.hois, (0, 0)))
    assert both.rare == {2}  # as the training file says
    assert united({"train": TRAIN, "val": TRAIN}) is TRAIN


@pytest.mark.fault
def test_renumbered_rows_mean_the_same():
    both = united({"train": TRAIN, "test": TEST})
    before = target("1.jpg", [0, 1, 1], [0, 0, 1], TEST, image_hois=frozenset({0, 2}))
    after = Renumber(TEST, both)(before)
    assert by_name(after, both) == by_name(before, TEST)
    assert {both.hoi_name(hoi) for hoi in after.image_hois} == {"hold robot", "weld worker"}

    empty = target("1.jpg", [0, 1], [-1, 0], TEST)
    after = Renumber(TEST, both)(empty)
    assert after.objects.tolist() == [-1, 1] and after.hois.tolist() == [-1, 0]


@pytest.mark.fault
def test_splits_that_each_lack_an_hoi_of_the_other_share_one_order():
    targets = {
        "train": [target("1.jpg", [0, 1], [1, 2], TRAIN)],
        "val": [target("2.jpg", [1], [1], TRAIN)],
        "test": [target("3.jpg", [0, 1], [0, 1], TEST)],
    }
    read = {
        split: SimpleNamespace(vocabulary=TEST if split == "test" else TRAIN, targets=of_split)
        for split, of_split in targets.items()
    }
    make = {
        split: (lambda one=one: HOIDataset(one, "images", RESIZE)) for split, one in read.items()
    }
    module = DataModule(**make, check="off")
    module.open(["train", "val", "test"])
    assert module.vocabulary.hois == (*TRAIN.hois, (0, 0))
    for split, one in read.items():
        data = module.uncached_dataset(split)
        assert data.vocabulary == module.vocabulary
        expected = [by_name(each, one.vocabulary) for each in one.targets]
        assert [by_name(each, data.vocabulary) for each in data.targets] == expected
        assert data.target(data.targets[0].image_id) is data.targets[0]


def test_unseen_hois_are_those_of_the_common_vocabulary():
    read = SimpleNamespace(vocabulary=TEST, targets=[target("3.jpg", [0, 1], [0, 1], TEST)])
    data = HOIDataset(read, "images", RESIZE, unseen=lambda v: frozenset({len(v.hois) - 1}))
    both = united({"train": TRAIN, "test": TEST})
    data.unite(both)
    assert by_name(data.targets[0], both) == [("hold", "robot", "hold robot")]


@pytest.mark.fault
@pytest.mark.parametrize(
    ("other", "match"),
    [
        (hicodet(), "data.test has other classes .117 verbs such as 'adjust'.*one data set"),
        (TRAIN._replace(subject=None), "subjects: any class"),
    ],
)
def test_other_data_sets_are_refused(other, match):
    with pytest.raises(UserError, match=match):
        united({"data.train": TRAIN, "data.test": other})


@pytest.mark.fault
def test_a_model_may_meet_new_hois_and_no_new_classes():
    new = TEST._replace(objects=("robot", "worker", "lathe"))
    with pytest.raises(UserError, match="'lathe', which the checkpoint does not know"):
        united({"the checkpoint": TRAIN, "data.test": new}, may_add=False)
    assert united({"a": TRAIN, "b": TEST}, may_add=False).hois[3] == (0, 0)
    # V-COCO's splits have HOIs beyond the common ones
    new = next((v, o) for v in range(24) for o in range(80) if (v, o) not in vcoco().hoi_of)
    others = vcoco()._replace(hois=(*vcoco().hois, new))
    assert united({"a": vcoco(), "b": others}, may_add=False) == others


@pytest.mark.fault
def test_detections_are_exported_in_the_numbers_of_the_scored_file():
    both = united({"train": TRAIN, "test": TEST})
    box = torch.zeros(3, 4)
    # hold robot, weld worker and hold lamp, by the model's numbers
    found = Detections(
        box, box, torch.tensor([1, 0, 2]), torch.tensor([1, 0, 1]), torch.tensor([0.9, 0.8, 0.7])
    )
    exported = in_numbers_of(found, both, TEST)
    names = [
        (TEST.verbs[verb], TEST.objects[obj])
        for verb, obj in zip(exported.verbs.tolist(), exported.objects.tolist(), strict=True)
    ]
    assert names == [("hold", "robot"), ("weld", "worker")]  # the file has no lamp
    assert exported.scores.tolist() == found.scores[:2].tolist()


@pytest.mark.fault
def test_boxes_are_read_by_name_too():
    def boxes(objects, labels):
        one = BoxTarget(
            "1.jpg",
            1,
            torch.tensor([32, 32]),
            torch.tensor([[1.0, 1, 9, 9]]).repeat(len(labels), 1),
            torch.tensor(labels),
            torch.zeros(len(labels), dtype=torch.bool),
        )
        return BoxDataset(objects, [one], "images", RESIZE)

    train, val = boxes(("worker", "robot"), [0, 1]), boxes(("robot", "lamp", "worker"), [0, 1, 2])
    module = DataModule(lambda: train, lambda: val, lambda: val, check="off")
    module.open(["train", "val"])
    assert module.objects == train.objects == val.objects == ("worker", "robot", "lamp")
    assert train.targets[0].labels.tolist() == [0, 1]
    assert val.targets[0].labels.tolist() == [1, 2, 0]
    with pytest.raises(UserError, match=r"data.val has other object classes .* one data set"):
        united_names({"data.train": ["cat"], "data.val": ["dog"]}, "object classes")
