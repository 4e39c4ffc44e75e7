"""How the task makes the losses of a configuration."""

from functools import partial

import pytest
import torch
from torch import nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.losses.auxiliary import AuxiliaryVerbs
from rmlr_lightning.losses.focal import FocalLoss
from rmlr_lightning.losses.sentence import SentenceAlignment
from rmlr_lightning.losses.word import WordAlignment
from rmlr_lightning.models.irm_text import TextIRM
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.tasks.optim import ScheduledAdamW
from tests.losses.conftest import DIM, VOCABULARY, WIDTH, bank


class Model(nn.Module):
    """The part of a model that losses are made from."""

    def __init__(self, vocabulary, bank=None):
        super().__init__()
        self.ire = nn.Identity()
        self.ire.dim = DIM
        self.bank = bank
        self.selection, self.subject = Selection(), vocabulary.subject


class Text:
    """Counts its calls."""

    calls = 0

    def __call__(self, vocabulary):
        assert vocabulary is VOCABULARY
        self.calls += 1
        return bank()


def task_of(losses, text=None):
    return HOITask(Model, losses, ScheduledAdamW(), VOCABULARY, text)


def test_partial_losses_are_completed_and_text_is_embedded_once():
    text = Text()
    losses = {
        "sentence": partial(SentenceAlignment, form="soft"),
        "word": partial(WordAlignment, site="irm"),
    }
    task = task_of(losses, text)
    assert text.calls == 1 and task.reads_text
    assert (
        task.losses["sentence"].project.weight.shape
        == task.losses["word"].project.weight.shape
        == (WIDTH, DIM)
    )


def test_made_losses_stay_and_none_is_left_out():
    focal = FocalLoss()
    task = task_of({"interaction": focal, "word": None})
    assert list(task.losses) == ["interaction"] and task.losses["interaction"] is focal


def test_without_text_losses_that_need_none_are_made():
    assert task_of({"verbs": AuxiliaryVerbs}).losses["verbs"].classify.out_features == len(
        VOCABULARY.verbs
    )


def test_without_text_an_alignment_names_the_missing_option():
    with pytest.raises(UserError, match="text=") as caught:
        task_of({"word": partial(WordAlignment)})
    assert "\n" not in str(caught.value)


def test_without_text_a_classifier_of_text_is_not_trained():
    class WithText(Model):
        def __init__(self, vocabulary, bank=None):
            super().__init__(vocabulary, bank)
            self.irm = TextIRM(DIM, vocabulary, bank, text_dim=WIDTH)

    with pytest.raises(UserError, match="text="):
        HOITask(WithText, {"interaction": FocalLoss()}, ScheduledAdamW(), VOCABULARY)


def test_text_that_is_not_needed_is_not_embedded():
    text = Text()
    task = task_of({"interaction": FocalLoss()}, text)
    assert task.model.bank is not None
    assert text.calls == 0 and not task.reads_text


def test_parameters_of_losses_are_trained():
    task = task_of({"word": WordAlignment}, Text())
    assert {name for name, p in task.named_parameters() if p.requires_grad} == {
        "losses.word.project.weight",
        "losses.word.project.bias",
    }
    assert torch.is_tensor(task.state_dict()["losses.word.phrase_counts"])
