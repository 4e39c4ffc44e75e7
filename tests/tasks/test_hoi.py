"""Evaluation of the HOI task on HOIs that training lacked."""

from functools import partial

import pytest
import torch
from torch import nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics import HICODetMeanAP
from rmlr_lightning.models.checkpoint import plain_vocabulary
from rmlr_lightning.ops.calibration import plain_calibration
from rmlr_lightning.ops.classes import Renumber, united
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.tasks.hoi import HOITask, calibration_of
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import Vocabulary
from tests.scenes import target_of

BOX = [0.0, 0.0, 80.0, 120.0]
TRAIN = Vocabulary(("hold", "ride"), ((0, 1), (1, 2)), frozenset(), ("person", "cup", "horse"))
# the same classes in another order, and "hold horse", which training lacks
TEST = Vocabulary(("ride", "hold"), ((0, 0), (1, 0)), frozenset(), ("horse", "person"), 1)


class NoModel(nn.Module):
    """Stands where the model of the training vocabulary would be."""

    def __init__(self, vocabulary, bank):
        super().__init__()
        self.hois = len(vocabulary.hois)
        self.selection, self.subject = Selection(), vocabulary.subject


def test_what_a_validation_fits_is_in_the_checkpoint_and_used_in_the_test(monkeypatch):
    task = HOITask(partial(NoModel), {}, optim=None, vocabulary=TRAIN)
    logged = {}
    monkeypatch.setattr(task, "log", lambda key, value, **_: logged.update({key: value}))
    box = torch.tensor([BOX] * 2)
    verbs, scores = torch.tensor([0, 1]), torch.tensor([0.6, 0.4])
    found = Detections(box, box, torch.tensor([1, 2]), verbs, scores)
    target = target_of([BOX], [BOX], [0], [1])
    task.metrics["val"].update([found], [target])
    task.on_validation_epoch_end()
    assert logged["val/ece"] != logged["val/ece_score"]

    checkpoint = {"vocabulary": plain_vocabulary(TRAIN)}
    checkpoint["calibration"] = plain_calibration(task.calibration)
    other = HOITask(partial(NoModel), {}, optim=None, vocabulary=TRAIN)
    other.calibration = calibration_of(checkpoint)
    monkeypatch.setattr(other, "log", lambda key, value, **_: logged.update({key: value}))
    other.metrics["test"].update([found], [target])
    other.on_test_epoch_end()
    assert logged["test/ece"] == logged["val/ece"]


@pytest.mark.fault
def test_a_checkpoint_with_a_damaged_calibration_is_one_line():
    checkpoint = {"vocabulary": plain_vocabulary(TRAIN), "calibration": {"slope": 1.0}}
    with pytest.raises(UserError, match=r"^a\.ckpt: damaged \(the calibration has other fields\)$"):
        calibration_of(checkpoint, "a.ckpt")


@pytest.mark.fault
def test_an_hoi_that_training_lacked_is_a_class_of_the_mean():
    metrics = {"hicodet": HICODetMeanAP}
    task = HOITask(partial(NoModel), {}, optim=None, vocabulary=TRAIN, metrics=metrics)
    vocabulary = united({"the checkpoint": TRAIN, "data.test": TEST}, may_add=False)
    task.evaluate_on(vocabulary)
    assert task.model.hois == 2 and vocabulary.hois == (*TRAIN.hois, (0, 2))

    # by the numbers of the test file: ride horse, hold horse
    target = target_of([BOX] * 2, [BOX] * 2, [0, 0], [0, 1])._replace(hois=torch.tensor([0, 1]))
    target = Renumber(TEST, vocabulary)(target)
    assert [vocabulary.hoi_name(hoi) for hoi in target.hois.tolist()] == [
        "ride horse",
        "hold horse",
    ]

    # the model finds the one that it knows, by its own numbers: ride is 1, horse is 2
    found = Detections(
        torch.tensor([BOX]),
        torch.tensor([BOX]),
        torch.tensor([2]),
        torch.tensor([1]),
        torch.ones(1),
    )
    task.metrics["test"].update([found], [target])
    # AP 1 for ride horse; 0 for hold horse, and for hold cup, which this image does not have
    assert task.metrics["test"].compute()["test/map_full"] == pytest.approx(1 / 3)
