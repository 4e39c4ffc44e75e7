"""Against loops over pairs. What all alignments share is in test_alignment.py."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.losses.word import WordAlignment
from tests.losses import slow
from tests.losses.conftest import DIM, VOCABULARY, bank, random_batch


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("site", ["ire", "irm"])
@pytest.mark.parametrize("form", ["cosine", "l1", "infonce"])
def test_loss_and_gradients_are_those_of_the_loops(form, site, content, detach):
    options = {"form": form, "temperature": 0.3, "content": content, "detach": detach}
    loss = WordAlignment(DIM, VOCABULARY, bank, site=site, weight=0.7, **options)
    prediction, labels, prior = random_batch(seed=1)
    rows = slow.rows_of(prediction, labels, loss.project, site)
    expected = 0.7 * slow.mean(slow.word(rows, bank(), **options), rows)
    actual = loss(prediction, labels, prior)
    torch.testing.assert_close(actual.double(), expected, atol=1e-5, rtol=1e-5)
    learned = (
        prediction.ire_tokens if site == "ire" else prediction.irm_tokens,
        *loss.project.parameters(),
    )
    for ours, theirs in zip(
        torch.autograd.grad(actual, learned), torch.autograd.grad(expected, learned), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("form", ["cosine", "l1", "infonce"])
def test_gradients_through_the_attention_are_finite_differences(form):
    loss = WordAlignment(DIM, VOCABULARY, bank, form=form, detach=False).double()
    prediction, labels, _ = random_batch(seed=2)
    rows = loss.positives(prediction, labels)
    projected = torch.randn(len(rows.tokens), 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss.rows(rows, x)[rows.mask], (projected,))


def test_what_was_attended_to_carries_no_gradient():
    loss = WordAlignment(DIM, VOCABULARY, bank)
    prediction, labels, _ = random_batch()
    rows = loss.positives(prediction, labels)
    assert not loss.read(rows, loss.project(rows.tokens)).requires_grad


def test_a_pair_whose_phrase_has_one_word_is_drawn_to_it():
    loss = WordAlignment(DIM, VOCABULARY, bank)
    prediction, _, _ = random_batch(1, 1)
    entities = prediction.scene.entities._replace(labels=torch.zeros(1, 5, dtype=torch.long))
    real = prediction.pairs._replace(mask=torch.ones(1, 1, dtype=torch.bool))
    prediction = prediction._replace(scene=prediction.scene._replace(entities=entities), pairs=real)
    rows = loss.positives(prediction, torch.tensor([[[True, False, False, False, False]]]))
    said = bank()
    expected = said.words[0, 0] - said.words[said.content].mean(0)
    read = loss.read(rows, torch.randn(len(rows.tokens), 12))[0]
    torch.testing.assert_close(read, torch.nn.functional.normalize(expected, dim=0))


@pytest.mark.parametrize("option", [{"form": "soft"}, {"site": "detector"}])
def test_unknown_choices_are_named_in_one_line(option):
    with pytest.raises(UserError, match=next(iter(option.values()))) as caught:
        WordAlignment(DIM, VOCABULARY, bank, **option)
    assert "\n" not in str(caught.value) and next(iter(option)) in str(caught.value)
