import pytest
import torch

from rmlr_lightning.ops.object_classes import (
    class_index,
    with_object_classes,
    without_detections,
)
from rmlr_lightning.vocabulary import Vocabulary
from tests.scenes import random_scene


def test_classes_are_matched_by_name():
    index = class_index(("cup", "robot arm", "person"), ("person", "cup"))
    assert index.tolist() == [1, -1, 0]


def test_entities_of_other_classes_are_masked_out():
    entities = random_scene(2, 6, seed=0).entities
    entities = entities._replace(labels=torch.arange(12).view(2, 6) % 3)
    mapped = with_object_classes(entities, torch.tensor([1, -1, 0]))
    other = entities.labels == 1
    assert not mapped.mask[other].any()
    assert torch.equal(mapped.mask[~other], entities.mask[~other])
    assert torch.equal(mapped.labels[~other], torch.tensor([1, -1, 0])[entities.labels[~other]])


@pytest.mark.fault
def test_hois_whose_object_the_detector_lacks_are_counted():
    hois = ((0, 1), (1, 1), (0, 2), (1, 0))
    vocabulary = Vocabulary(("hold", "wash"), hois, frozenset(), ("person", "cup", "kite", "tree"))
    line = without_detections(("person", "kite"), vocabulary)
    assert "no class for 1 of the data set's object classes (cup), so 2 of its 4 HOIs" in line
    # no HOI needs a tree
    assert without_detections(("kite", "cup", "person"), vocabulary) is None
