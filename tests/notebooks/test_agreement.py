"""Agreement of tokens with phrases, against loops and against the loss itself."""

import math

import pytest
import torch
from support.agreement import against_rivals, agreement, classifier_agreement, word_cosines
from torch.nn.functional import normalize

from rmlr_lightning.losses.sentence import SentenceAlignment
from rmlr_lightning.losses.word import WordAlignment
from rmlr_lightning.ops.masked import gather_rows
from tests.losses.conftest import DIM, VOCABULARY, bank, random_batch


def test_rivals_by_a_loop():
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(40, 7, generator=g)
    true, candidates = torch.rand(40, 7, generator=g) < 0.3, torch.rand(40, 7, generator=g) < 0.6
    found = against_rivals(scores, true, candidates)
    expected = []
    for score, is_true, is_candidate in zip(
        scores.tolist(), true.tolist(), candidates.tolist(), strict=True
    ):
        yes = [s for s, t, a in zip(score, is_true, is_candidate, strict=True) if a and t]
        no = [s for s, t, a in zip(score, is_true, is_candidate, strict=True) if a and not t]
        if yes and no:
            expected.append(
                [sum(yes) / len(yes), max(no), max(yes) > max(no), len(yes) / (len(yes) + len(no))]
            )
    torch.testing.assert_close(
        torch.stack([field.double() for field in found], 1), torch.tensor(expected).double()
    )


def test_word_cosines_are_those_of_the_words_that_the_loss_attends_to():
    torch.manual_seed(0)
    loss = WordAlignment(DIM, VOCABULARY, bank)
    prediction, labels = random_batch()
    positives = labels.positives
    rows = gather_rows(prediction.ire_tokens, positives.index).flatten(0, 1)
    projected = normalize(loss.project(rows), dim=-1).detach()
    for phrase in range(len(VOCABULARY.hois)):
        only = torch.zeros_like(positives.phrases)
        only[:, phrase] = True
        attended = loss.attended_words(positives._replace(phrases=only), projected)
        torch.testing.assert_close(
            word_cosines(loss, projected)[:, phrase], (projected * attended).sum(1)
        )


@pytest.mark.parametrize("form", [SentenceAlignment, WordAlignment])
def test_only_phrases_of_the_own_object_are_rivals(form):
    torch.manual_seed(0)
    loss = form(DIM, VOCABULARY, bank)
    prediction, labels = random_batch()
    positives = labels.positives
    found = agreement(loss, prediction, positives)
    sizes = [
        sum(object_class == int(row) for _, object_class in VOCABULARY.hois)
        for row in positives.objects
    ]
    shares = [
        float(true) / size
        for true, size, real in zip(positives.phrases.sum(1), sizes, positives.mask, strict=True)
        if real and 0 < true < size
    ]
    assert len(shares) and found.chance.tolist() == pytest.approx(shares)


def test_a_token_at_its_phrase_agrees():
    loss = SentenceAlignment(DIM, VOCABULARY, bank)
    rows = torch.eye(len(VOCABULARY.hois), dtype=torch.bool)
    same_object = loss.phrase_objects[:, None] == loss.phrase_objects
    found = against_rivals(loss.phrases @ loss.phrases.T, rows, same_object)
    assert found.right.all() and found.true.tolist() == pytest.approx([1.0] * len(found.true))
    assert (found.rival < 1).all()


def test_the_classifier_is_compared_among_the_valid_verbs_of_the_object():
    prediction, labels = random_batch()
    verbs, valid_pairs = labels.verbs, VOCABULARY.valid_pairs()
    perfect = prediction._replace(logits=torch.where(verbs, 1.0, 0.0))
    assert classifier_agreement(perfect, verbs, valid_pairs).right.all()
    opposite = ~verbs & verbs.any(-1, keepdim=True)
    assert not classifier_agreement(perfect, opposite, valid_pairs).right.any()
    chance = classifier_agreement(prediction, verbs, valid_pairs).chance
    assert not math.isnan(float(chance.mean()))
