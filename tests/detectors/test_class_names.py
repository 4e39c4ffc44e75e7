import pytest

from rmlr_lightning.detectors.class_names import COCO_91, classes_of_labels
from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_OBJECTS, hicodet, object_name


def test_cocos_ids_have_eleven_gaps():
    assert [COCO_91[category] for category in COCO_CATEGORY_IDS] == list(COCO_OBJECTS)
    assert COCO_91.count(None) == 11


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tvmonitor", "tv"),
        ("Television", "tv"),
        ("baseball_bat", "baseball bat"),
        ("motorbike", "motorcycle"),
        ("hair dryer", "hair drier"),
        ("robot_arm", "robot_arm"),  # only COCO's objects are spelled anew
        ("N/A", None),
        ("LABEL_7", None),
        ("no object", None),
        ("", None),
    ],
)
def test_other_spellings_of_cocos_objects(name, expected):
    assert object_name(name) == expected


def test_every_object_of_the_vocabulary_keeps_its_name():
    assert tuple(map(object_name, hicodet().objects)) == COCO_OBJECTS


def test_gaps_in_the_numbers_are_not_in_use():
    assert classes_of_labels({1: "person", 3: "dog"}, "x") == [None, "person", None, "dog"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({0: "LABEL_0", 1: "LABEL_1"}, "order of its 2 classes is unknown"),
        ({}, "order of its 0 classes is unknown"),
        ({0: "tv", 1: "person", 2: "tvmonitor"}, "two classes named 'tv'"),
    ],
)
def test_classes_that_names_do_not_identify_are_refused(labels, message):
    with pytest.raises(UserError, match=message):
        classes_of_labels(labels, "x")
