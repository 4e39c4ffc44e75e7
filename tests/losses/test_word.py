"""Against loops over pairs. What all alignments share is in test_alignment.py."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.losses.word import WordAlignment
from tests.losses import slow
from tests.losses.conftest import DIM, VOCABULARY, bank, labels_of, random_batch


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("site", ["ire", "irm"])
@pytest.mark.parametrize("form", ["cosine", "l1", "infonce"])
def test_loss_and_gradients_are_those_of_the_loops(form, site, content, detach):
    options = {"form": form, "temperature": 0.3, "content": content, "detach": detach}
    loss = WordAlignment(DIM, VOCABULARY, bank, site=site, weight=0.7, **options)
    prediction, labels = random_batch(seed=1)
    rows = slow.rows_of(prediction, labels, loss.project, site)
    expected = 0.7 * slow.mean(slow.word(rows, bank(), **options), rows)
    actual = loss(prediction, labels)
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
    _, labels = random_batch(seed=2)
    positives = labels.positives
    projected = torch.randn(len(positives.mask), 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: loss.row_losses(positives, x)[positives.mask], (projected,)
    )


def test_attended_words_carry_no_gradient():
    loss = WordAlignment(DIM, VOCABULARY, bank)
    _, labels = random_batch()
    projected = torch.randn(len(labels.positives.mask), 12, requires_grad=True)
    assert not loss.attended_words(labels.positives, projected).requires_grad


def test_a_phrase_of_one_word_is_attended_to_whole():
    loss = WordAlignment(DIM, VOCABULARY, bank)
    prediction, _ = random_batch(1, 1)
    pairs = prediction.pairs._replace(
        object_class=torch.zeros(1, 1, dtype=torch.long), mask=torch.ones(1, 1, dtype=torch.bool)
    )
    verbs = torch.tensor([[[True, False, False, False, False]]])
    positives = labels_of(pairs, verbs, torch.zeros(1, 1, 5)).positives
    embeddings = bank()
    expected = embeddings.words[0, 0] - embeddings.words[embeddings.content].mean(0)
    attended = loss.attended_words(positives, torch.randn(len(positives.mask), 12))[0]
    torch.testing.assert_close(attended, torch.nn.functional.normalize(expected, dim=0))


@pytest.mark.parametrize("option", [{"form": "soft"}, {"site": "detector"}])
def test_unknown_choices_are_named_in_one_line(option):
    with pytest.raises(UserError, match=next(iter(option.values()))) as caught:
        WordAlignment(DIM, VOCABULARY, bank, **option)
    assert "\n" not in str(caught.value) and next(iter(option)) in str(caught.value)


def test_defaults_of_the_options():
    loss = WordAlignment(DIM, VOCABULARY, bank)
    assert (loss.temperature, loss.detach, loss.form) == (0.1, True, loss.cosine)
    assert len(loss.words) == int((bank().words_mask & bank().content).sum())
    assert (loss.weight, loss.balance, loss.decay) == (0.1, 0.0, 0.0)
