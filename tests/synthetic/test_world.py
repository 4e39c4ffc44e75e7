"""The vocabulary of the world: real HICO-DET classes."""

from rmlr_lightning.synthetic.world import classes, label_counts, labels
from rmlr_lightning.vocabulary import COCO_INDEX, hicodet


def test_hois_are_those_of_hicodet():
    names, real = classes(), hicodet()
    valid = {(real.verbs[verb], obj) for verb, obj in real.hois}
    assert all((verb, COCO_INDEX[obj]) in valid for verb, obj in names.hois)


def test_classes_are_many_and_in_alphabetical_order():
    names = classes()
    assert len(names.objects) >= 20 and len(names.verbs) >= 20 and len(names.hois) >= 100
    assert list(names.objects) == sorted(names.objects)
    assert list(names.verbs) == sorted(names.verbs)


def test_labels_are_all_verbs_that_are_true():
    assert labels("eat", "apple", held=True) == ("eat", "hold")
    assert labels("inspect", "apple", held=False) == ("inspect",)
    assert labels("race", "horse", held=True) == ("race", "ride")
    assert labels("unlabelled", "donut", held=True) == ()


def test_label_counts_follow_the_share_of_grasps():
    # Half of the carried objects are grasped.
    counts = label_counts({("carry", "book"): 10})
    assert counts == {("carry", "book"): 10, ("hold", "book"): 5}
