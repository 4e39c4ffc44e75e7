"""Controls of the text: what does language know that another bank of the same form does not?

Each has a source's signature, vocabulary -> TextEmbeddings, and is the same for the same seed on every machine.
"""

import hashlib
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import masked_mean
from rmlr_lightning.text.bank import Source
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary


def shuffled(
    vocabulary: Vocabulary, source: Callable[[Vocabulary], TextEmbeddings], seed: int = 0
) -> TextEmbeddings:
    """The right vectors at the wrong HOIs: none keeps its own."""
    bank = source(vocabulary)
    order = derangement(len(bank.sentences), seed)
    return TextEmbeddings(*(value[order] for value in bank))


def permuted_verbs(
    vocabulary: Vocabulary, source: Callable[[Vocabulary], TextEmbeddings], seed: int = 0
) -> TextEmbeddings:
    """Each verb is described as another verb, the same one throughout; objects stay.

    Structure is kept (same verb, same vector), its meaning is not. A described pair need not be an HOI.
    """
    other = derangement(len(vocabulary.verbs), seed).tolist()
    return source(
        vocabulary._replace(hois=tuple((other[verb], obj) for verb, obj in vocabulary.hois))
    )


def random(
    vocabulary: Vocabulary, source: Callable[[Vocabulary], TextEmbeddings], seed: int = 0
) -> TextEmbeddings:
    """Independent random vectors for each phrase and word: no structure and no meaning."""
    bank = source(vocabulary)
    generator = torch.Generator().manual_seed(seed)
    sentences, words = (
        torch.randn(value.shape, generator=generator) for value in (bank.sentences, bank.words)
    )
    everywhere = torch.ones(len(sentences), 1, dtype=torch.bool)
    return bank._replace(
        sentences=like(bank.sentences[:, None], sentences[:, None], everywhere)[:, 0],
        words=like(bank.words, words, bank.words_mask),
    )


def compositional(vocabulary: Vocabulary, source: Source, seed: int = 0) -> TextEmbeddings:
    """One random vector a word, shared by all phrases that have it; a sentence is the mean of its content words.

    Phrases with words in common are near each other, as in a language, but nobody told that "ride" is near "straddle".
    """
    bank = source(vocabulary)
    width = bank.words.shape[-1]
    words = pad_sequence(
        [
            torch.stack(
                [word_vector(word.lower(), width, seed) for phrase in row for word in phrase.words]
            )
            for row in source.phrases(vocabulary)
        ],
        batch_first=True,
    )
    everywhere = torch.ones(len(words), 1, dtype=torch.bool)
    sentences = masked_mean(words, bank.content)
    return bank._replace(
        sentences=like(bank.sentences[:, None], sentences[:, None], everywhere)[:, 0],
        words=like(bank.words, words, bank.words_mask),
    )


def like(
    real: Float[Tensor, "T W E"], made: Float[Tensor, "T W E"], mask: Bool[Tensor, "T W"]
) -> Float[Tensor, "T W E"]:
    """`made` with the mean vector of `real` and its mean squared distance from it.

    Both scales count: an alignment that centres the vectors sees the second, one that does not sees their sum.
    """
    centre = real[mask].mean(0)
    spread = (real[mask] - centre).square().sum(-1).mean().sqrt()
    away = made - made[mask].mean(0)
    away = away * spread / away[mask].square().sum(-1).mean().sqrt()
    return (centre + away) * mask[..., None]


def word_vector(word: str, width: int, seed: int) -> Float[Tensor, "E"]:
    """The same for a word in every vocabulary."""
    digest = hashlib.sha256(f"{seed} {word}".encode()).digest()
    return torch.randn(
        width, generator=torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    )


def derangement(count: int, seed: int) -> Int[Tensor, "N"]:
    """A random permutation in which nothing keeps its place: one cycle through all (Sattolo)."""
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
