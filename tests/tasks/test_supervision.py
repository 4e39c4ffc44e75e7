"""Training in which nothing matches the annotations says so: metrics alone would tell it late."""

import pytest
import torch

from rmlr_lightning.errors import SharedError
from rmlr_lightning.losses.focal import FocalLoss
from rmlr_lightning.tasks.supervision import EARLY_STEPS, ENOUGH, Matches
from rmlr_lightning.types import Labels, Positives, Truth
from tests.tasks.tiny_task import fitted, random_batch, tiny_task

pytestmark = [
    pytest.mark.fault,
    # Lightning's advice
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*Found .* in eval mode"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
]


def in_pixels(truth: Truth) -> Truth:
    return truth._replace(boxes_h=truth.boxes_h * 640, boxes_o=truth.boxes_o * 640)


def in_another_order(truth: Truth) -> Truth:
    return truth._replace(objects=79 - truth.objects)


def of_another_image(truth: Truth) -> Truth:
    """Boxes that no entity has."""
    corner = torch.tensor([0.98, 0.98, 1.0, 1.0]).expand_as(truth.boxes_h)
    return truth._replace(boxes_h=corner, boxes_o=corner)


def trained(change):
    """One epoch of a batch whose truth was changed."""
    batch = random_batch(6, entities=3)
    fitted(tiny_task({"focal": FocalLoss()}), [batch._replace(truth=change(batch.truth))])


@pytest.mark.parametrize("change", [in_pixels, in_another_order, of_another_image])
def test_truth_that_no_pair_matches_is_told_with_its_likely_causes(change, capsys):
    trained(change)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("note: no candidate pairs of people and objects match the ")
    assert "boxes of another unit" in line and "object classes in another order" in line


def test_truth_that_is_matched_is_not_spoken_of(capsys):
    trained(lambda truth: truth)
    assert capsys.readouterr().out == ""


def test_images_without_any_pair_are_told(capsys):
    trained(lambda truth: truth._replace(mask=torch.zeros_like(truth.mask)))
    assert "note: no image has an annotated pair" in capsys.readouterr().out


def counted(matches: int, annotated: int) -> Matches:
    nothing = torch.zeros(0)
    rows = Positives(nothing, torch.arange(annotated) < matches, nothing, nothing)
    truth = Truth(nothing, nothing, nothing, nothing, torch.ones(1, annotated, dtype=torch.bool))
    found = Matches()
    found.add(Labels(nothing, nothing, nothing, rows), truth)
    return found


def test_many_pairs_without_a_match_end_the_training():
    with pytest.raises(SharedError, match=f"nothing to learn from: no .* the {ENOUGH} annotated"):
        counted(0, ENOUGH).judge()


def test_few_matches_are_noted_once(capsys):
    found = counted(9, 100)
    found.judge()
    found.judge()
    assert capsys.readouterr().out.startswith("note: only 9 candidate pairs")
    counted(10, 100).judge()
    assert capsys.readouterr().out == ""


def test_a_long_epoch_is_judged_before_its_end(monkeypatch):
    task = tiny_task({"focal": FocalLoss()})
    task.trainer = type("", (), {"global_step": EARLY_STEPS, "accumulate_grad_batches": 1})()
    task.trainer.estimated_stepping_batches = 10**6
    task.trainer.is_last_batch, task.trainer.num_training_batches = False, 10**6
    task.matches = counted(0, ENOUGH)
    with pytest.raises(SharedError, match="nothing to learn from"):
        task.on_train_batch_start(None, 0)
