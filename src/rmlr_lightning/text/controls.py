"""Controls of the text: embeddings of the same form as a bank's, without (part of) their meaning.

A gain that a control gives, too, does not come from the knowledge of the language model. All have
the bank's signature, vocabulary -> TextEmbeddings, with `bank` and `seed` bound by the
configuration, and give the same result for the same seed on every machine.
"""

import hashlib
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import masked_mean
from rmlr_lightning.text.bank import EmbeddingBank
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

Bank = Callable[[Vocabulary], TextEmbeddings]


def shuffled_embeddings(vocabulary: Vocabulary, bank: Bank, seed: int = 0) -> TextEmbeddings:
    """The right embeddings at the wrong HOIs: no HOI keeps its own."""
    embeddings = bank(vocabulary)
    order = derangement(len(embeddings.sentences), seed)
    return TextEmbeddings(*(value[order] for value in embeddings))


def permuted_verb_embeddings(vocabulary: Vocabulary, bank: Bank, seed: int = 0) -> TextEmbeddings:
    """Each verb is described as another verb, the same one for all objects; objects stay.

    The structure is kept (HOIs of one verb share a described verb), the meaning is not. A described
    object-verb pair need not be valid.
    """
    other_verb = derangement(len(vocabulary.verbs), seed).tolist()
    hois = tuple((other_verb[verb], obj) for verb, obj in vocabulary.hois)
    return bank(vocabulary._replace(hois=hois))


def random_embeddings(vocabulary: Vocabulary, bank: Bank, seed: int = 0) -> TextEmbeddings:
    """Independent random vectors per phrase and word: neither structure nor meaning."""
    embeddings = bank(vocabulary)
    generator = torch.Generator().manual_seed(seed)
    sentences = torch.randn(embeddings.sentences.shape, generator=generator)
    words = torch.randn(embeddings.words.shape, generator=generator)
    return rescaled(sentences, words, embeddings)


def compositional_embeddings(
    vocabulary: Vocabulary, bank: EmbeddingBank, seed: int = 0
) -> TextEmbeddings:
    """One random vector per word, shared by all phrases with that word: structure, no meaning.

    A sentence is the mean of its content words. Phrases with common words are near each other, as
    in a language, but "ride" is no nearer to "straddle" than to "eat".
    """
    embeddings = bank(vocabulary)
    width = embeddings.words.shape[-1]
    rows = []
    for phrases in bank.phrases(vocabulary):
        words = [word.lower() for phrase in phrases for word in phrase.words]
        rows.append(torch.stack([word_vector(word, width, seed) for word in words]))
    words = pad_sequence(rows, batch_first=True)
    return rescaled(masked_mean(words, embeddings.content), words, embeddings)


def rescaled(
    sentences: Float[Tensor, "T E"], words: Float[Tensor, "T W E"], reference: TextEmbeddings
) -> TextEmbeddings:
    """The reference with other sentences and words, at the mean and spread of its own."""
    all_sentences = torch.ones(len(sentences), 1, dtype=torch.bool)
    matched = match_moments(sentences[:, None], reference.sentences[:, None], all_sentences)
    return reference._replace(
        sentences=matched[:, 0],
        words=match_moments(words, reference.words, reference.words_mask),
    )


def match_moments(
    vectors: Float[Tensor, "T W E"], reference: Float[Tensor, "T W E"], mask: Bool[Tensor, "T W"]
) -> Float[Tensor, "T W E"]:
    """Shift and scale `vectors` to the reference's mean and mean squared distance from it.

    Both are matched, because an alignment that centres the embeddings depends on the distance, and
    one that does not on the sum of both. Zeros where the mask is False.
    """
    mean = reference[mask].mean(0)
    spread = (reference[mask] - mean).square().sum(-1).mean().sqrt()
    centred = vectors - vectors[mask].mean(0)
    centred = centred * spread / centred[mask].square().sum(-1).mean().sqrt()
    return (mean + centred) * mask[..., None]


def word_vector(word: str, width: int, seed: int) -> Float[Tensor, "E"]:
    """A standard normal vector; it depends on word and seed, not on the vocabulary."""
    digest = hashlib.sha256(f"{seed} {word}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.randn(width, generator=generator)


def derangement(count: int, seed: int) -> Int[Tensor, "N"]:
    """A random permutation that leaves nothing in place: one cycle through all (Sattolo).

    Raises:
        UserError: there are fewer than two entries.
    """
    if count < 2:
        raise UserError(
            f"text: a vocabulary with {count} entry has nothing to swap; choose another control"
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(count)
    for last in range(count - 1, 0, -1):
        other = int(torch.randint(last, (1,), generator=generator))
        order[[last, other]] = order[[other, last]]
    return order
