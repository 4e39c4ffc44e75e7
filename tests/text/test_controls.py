"""What each control keeps and what it destroys."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.text.bank import Source
from rmlr_lightning.text.controls import (
    compositional,
    derangement,
    permuted_verbs,
    random,
    shuffled,
)
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.text.prompts import phrases
from rmlr_lightning.text.similarity import phrase_similarity
from rmlr_lightning.vocabulary import Vocabulary, hicodet

SMALL = hicodet()._replace(hois=hicodet().hois[:60])
ALL = [shuffled, permuted_verbs, random, compositional]


@pytest.fixture(scope="module")
def source(bert) -> Source:
    return Source(TextEncoder.from_hub(bert))


@pytest.mark.parametrize("control", ALL)
def test_the_same_seed_gives_the_same_bank_and_another_one_another(control, source):
    a, b, c = (control(SMALL, source, seed) for seed in (3, 3, 4))
    torch.testing.assert_close(a, b, atol=0, rtol=0)
    assert not torch.equal(a.sentences, c.sentences)


@pytest.mark.parametrize("control", ALL)
def test_a_control_has_the_form_of_a_bank(control, source):
    bank = control(SMALL, source, 0)
    assert len(bank.sentences) == len(SMALL.hois)
    assert bank.words.shape[:2] == bank.words_mask.shape == bank.content.shape
    assert not bank.words[~bank.words_mask].any()
    assert not (bank.content & ~bank.words_mask).any()


@pytest.mark.parametrize("count", [2, 3, 7, 600])
@pytest.mark.parametrize("seed", range(5))
def test_nothing_keeps_its_place(count, seed):
    order = derangement(count, seed)
    assert sorted(order.tolist()) == list(range(count))
    assert (order != torch.arange(count)).all()


def test_one_class_alone_cannot_be_swapped(source):
    with pytest.raises(UserError):
        shuffled(SMALL._replace(hois=SMALL.hois[:1]), source)


def test_shuffled_has_the_right_vectors_at_the_wrong_places(source):
    real, control = source(SMALL), shuffled(SMALL, source, 1)
    order = derangement(60, 1)
    for mine, theirs in zip(control, real, strict=True):
        assert torch.equal(mine, theirs[order])


def test_permuted_verbs_say_another_verb_of_the_same_object(source):
    other = derangement(len(SMALL.verbs), 1).tolist()
    control = permuted_verbs(SMALL, source, 1)
    for row in (0, 17, 42):
        verb, obj = SMALL.hois[row]
        alone = Vocabulary(SMALL.verbs, ((other[verb], obj),), frozenset())
        torch.testing.assert_close(
            control.sentences[row], source(alone).sentences[0], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("control", [random, compositional])
def test_random_vectors_have_the_scale_of_the_real_ones(control, source):
    real, made = source(SMALL), control(SMALL, source, 0)
    for a, b in (
        (real.sentences, made.sentences),
        (real.words[real.words_mask], made.words[made.words_mask]),
    ):
        torch.testing.assert_close(b.mean(0), a.mean(0), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            b.square().sum(-1).mean(), a.square().sum(-1).mean(), atol=1e-3, rtol=1e-3
        )


def test_random_vectors_know_nothing_of_each_other():
    def wide(vocabulary):
        count, generator = len(vocabulary.hois), torch.Generator().manual_seed(9)
        from rmlr_lightning.types import TextEmbeddings

        mask = torch.ones(count, 3, dtype=torch.bool)
        draw = torch.randn(count, 4, 2048, generator=generator)
        return TextEmbeddings(draw[:, 0], draw[:, 1:], mask, mask)

    near = phrase_similarity(random(SMALL, wide, 0).sentences)
    assert (near - torch.eye(60)).abs().max() < 0.15


def test_compositional_phrases_share_the_vectors_of_shared_words(source):
    bank = compositional(SMALL, source, 0)
    seen: dict[str, torch.Tensor] = {}
    for row, (one,) in enumerate(phrases(SMALL)):
        for place, word in enumerate(one.words):
            torch.testing.assert_close(
                bank.words[row, place], seen.setdefault(word, bank.words[row, place])
            )


def test_a_compositional_sentence_is_made_of_its_content_words(source):
    """Up to one shift and one scale for all: the distance of two sentences is that of the means of their words."""
    bank = compositional(SMALL, source, 0)
    means = torch.stack(
        [words[flags].mean(0) for words, flags in zip(bank.words, bank.content, strict=True)]
    )
    ratio = torch.pdist(bank.sentences) / torch.pdist(means)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), atol=1e-3, rtol=1e-3)
