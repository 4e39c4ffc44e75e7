"""Evaluation of the HOI task."""

import torch

from rmlr_lightning.tasks.hoi import renumbered
from rmlr_lightning.vocabulary import Vocabulary
from tests.scenes import target_of

BOX, NAN = [0, 0, 80, 120], [float("nan")] * 4
TRAIN = Vocabulary(("hold", "ride"), ((0, 1), (1, 2), (0, 3)), frozenset())


def test_hois_of_another_split_are_those_of_the_training_vocabulary():
    # another split counts (ride, 3) as its third HOI, where training has (hold, 3)
    target = target_of([BOX] * 4, [BOX, BOX, BOX, NAN], [1, 3, 3, -1], [0, 1, 0, 0])
    target = target._replace(hois=torch.tensor([0, 2, 3, -1]))
    assert renumbered(target, TRAIN).hois.tolist() == [0, -1, 2, -1]


def test_hois_of_the_same_vocabulary_stay():
    target = target_of([BOX] * 3, [BOX] * 3, [1, 2, 3], [0, 1, 0])
    target = target._replace(hois=torch.tensor([0, 1, 2]))
    assert renumbered(target, TRAIN).hois.tolist() == [0, 1, 2]
