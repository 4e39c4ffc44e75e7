"""What each control keeps and what it destroys."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.text.bank import EmbeddingBank
from rmlr_lightning.text.controls import (
    compositional_embeddings,
    derangement,
    permuted_verb_embeddings,
    random_embeddings,
    shuffled_embeddings,
)
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.text.prompts import vocabulary_phrases
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary, hicodet
from tests.text.conftest import centred_cosines

SMALL = hicodet()._replace(hois=hicodet().hois[:60])
ALL = [
    shuffled_embeddings,
    permuted_verb_embeddings,
    random_embeddings,
    compositional_embeddings,
]


@pytest.fixture(scope="module")
def bank(bert) -> EmbeddingBank:
    return EmbeddingBank(TextEncoder.from_hub(bert))


@pytest.mark.parametrize("control", ALL)
def test_the_same_seed_gives_the_same_embeddings_and_another_seed_others(control, bank):
    a, b, c = (control(SMALL, bank, seed) for seed in (3, 3, 4))
    torch.testing.assert_close(a, b, atol=0, rtol=0)
    assert not torch.equal(a.sentences, c.sentences)


@pytest.mark.parametrize("control", ALL)
def test_a_control_has_the_form_of_a_bank(control, bank):
    embeddings = control(SMALL, bank, 0)
    assert len(embeddings.sentences) == len(SMALL.hois)
    assert embeddings.words.shape[:2] == embeddings.words_mask.shape == embeddings.content.shape
    assert not embeddings.words[~embeddings.words_mask].any()
    assert not (embeddings.content & ~embeddings.words_mask).any()


@pytest.mark.parametrize("count", [2, 3, 7, 600])
@pytest.mark.parametrize("seed", range(5))
def test_nothing_keeps_its_place(count, seed):
    order = derangement(count, seed)
    assert sorted(order.tolist()) == list(range(count))
    assert (order != torch.arange(count)).all()


def test_one_class_alone_cannot_be_swapped(bank):
    with pytest.raises(UserError):
        shuffled_embeddings(SMALL._replace(hois=SMALL.hois[:1]), bank)


def test_shuffled_has_the_right_vectors_at_the_wrong_places(bank):
    real, control = bank(SMALL), shuffled_embeddings(SMALL, bank, 1)
    order = derangement(60, 1)
    for moved, original in zip(control, real, strict=True):
        assert torch.equal(moved, original[order])


def test_permuted_verbs_describe_another_verb_of_the_same_object(bank):
    other = derangement(len(SMALL.verbs), 1).tolist()
    control = permuted_verb_embeddings(SMALL, bank, 1)
    for row in (0, 17, 42):
        verb, obj = SMALL.hois[row]
        single = Vocabulary(SMALL.verbs, ((other[verb], obj),), frozenset())
        torch.testing.assert_close(
            control.sentences[row], bank(single).sentences[0], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("control", [random_embeddings, compositional_embeddings])
def test_random_vectors_have_the_scale_of_the_real_ones(control, bank):
    real, made = bank(SMALL), control(SMALL, bank, 0)
    for a, b in (
        (real.sentences, made.sentences),
        (real.words[real.words_mask], made.words[made.words_mask]),
    ):
        torch.testing.assert_close(b.mean(0), a.mean(0), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            b.square().sum(-1).mean(), a.square().sum(-1).mean(), atol=1e-3, rtol=1e-3
        )


def test_random_vectors_are_nearly_orthogonal():
    def wide(vocabulary):
        count, generator = len(vocabulary.hois), torch.Generator().manual_seed(9)
        mask = torch.ones(count, 3, dtype=torch.bool)
        draw = torch.randn(count, 4, 2048, generator=generator)
        return TextEmbeddings(draw[:, 0], draw[:, 1:], mask, mask)

    near = centred_cosines(random_embeddings(SMALL, wide, 0).sentences)
    assert (near - torch.eye(60)).abs().max() < 0.15


def test_compositional_phrases_share_the_vectors_of_shared_words(bank):
    embeddings = compositional_embeddings(SMALL, bank, 0)
    seen: dict[str, torch.Tensor] = {}
    for row, (one,) in enumerate(vocabulary_phrases(SMALL)):
        for place, word in enumerate(one.words):
            torch.testing.assert_close(
                embeddings.words[row, place], seen.setdefault(word, embeddings.words[row, place])
            )


def test_a_compositional_sentence_is_made_of_its_content_words(bank):
    """Distances of sentences are those of the means of their words, up to one common scale."""
    embeddings = compositional_embeddings(SMALL, bank, 0)
    means = torch.stack(
        [
            words[flags].mean(0)
            for words, flags in zip(embeddings.words, embeddings.content, strict=True)
        ]
    )
    ratio = torch.pdist(embeddings.sentences) / torch.pdist(means)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), atol=1e-3, rtol=1e-3)
