"""Agreement of tokens with phrases, against loops and against the loss itself."""

import math

import pytest
import torch
from support.agreement import against_rivals, agreement, recognised, word_cosines
from torch.nn.functional import normalize

from rmlr_lightning.losses.sentence import SentenceAlignment
from rmlr_lightning.losses.word import WordAlignment
from tests.losses.conftest import DIM, VOCABULARY, bank, random_batch


def test_rivals_by_a_loop():
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(40, 7, generator=g)
    true, among = torch.rand(40, 7, generator=g) < 0.3, torch.rand(40, 7, generator=g) < 0.6
    found = against_rivals(scores, true, among)
    expected = []
    for score, is_true, is_among in zip(
        scores.tolist(), true.tolist(), among.tolist(), strict=True
    ):
        yes = [s for s, t, a in zip(score, is_true, is_among, strict=True) if a and t]
        no = [s for s, t, a in zip(score, is_true, is_among, strict=True) if a and not t]
        if yes and no:
            expected.append(
                [sum(yes) / len(yes), max(no), max(yes) > max(no), len(yes) / (len(yes) + len(no))]
            )
    torch.testing.assert_close(
        torch.stack([field.double() for field in found], 1), torch.tensor(expected).double()
    )


def test_word_cosines_are_what_the_loss_reads_of_each_phrase():
    torch.manual_seed(0)
    loss = WordAlignment(DIM, VOCABULARY, bank)
    prediction, labels, _ = random_batch()
    rows = loss.positives(prediction, labels)
    projected = normalize(loss.project(rows.tokens), dim=-1).detach()
    for phrase in range(len(VOCABULARY.hois)):
        only = torch.zeros_like(rows.phrases)
        only[:, phrase] = True
        read = loss.read(rows._replace(phrases=only), projected)
        torch.testing.assert_close(
            word_cosines(loss, projected)[:, phrase], (projected * read).sum(1)
        )


@pytest.mark.parametrize("form", [SentenceAlignment, WordAlignment])
def test_only_phrases_of_the_own_object_are_rivals(form):
    torch.manual_seed(0)
    loss = form(DIM, VOCABULARY, bank)
    prediction, labels, _ = random_batch()
    found = agreement(loss, prediction, labels)
    rows = loss.positives(prediction, labels)
    sizes = [sum(thing == int(obj) for _, thing in VOCABULARY.hois) for obj in rows.objects]
    shares = [
        float(true) / size
        for true, size, real in zip(rows.phrases.sum(1), sizes, rows.mask, strict=True)
        if real and 0 < true < size
    ]
    assert len(shares) and found.chance.tolist() == pytest.approx(shares)


def test_a_token_at_its_phrase_agrees():
    loss = SentenceAlignment(DIM, VOCABULARY, bank)
    rows = torch.eye(len(VOCABULARY.hois), dtype=torch.bool)
    among = loss.object_of[:, None] == loss.object_of
    found = against_rivals(loss.phrases @ loss.phrases.T, rows, among)
    assert found.right.all() and found.true.tolist() == pytest.approx([1.0] * len(found.true))
    assert (found.rival < 1).all()


def test_the_classifier_is_asked_about_the_verbs_of_the_object():
    prediction, labels, _ = random_batch()
    allowed = VOCABULARY.valid_pairs()
    sure = prediction._replace(logits=torch.where(labels, 1.0, 0.0))
    assert recognised(sure, labels, allowed).right.all()
    assert not recognised(sure, ~labels & labels.any(-1, keepdim=True), allowed).right.any()
    assert not math.isnan(float(recognised(prediction, labels, allowed).chance.mean()))
