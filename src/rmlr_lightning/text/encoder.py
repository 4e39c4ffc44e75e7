"""The text encoder: a frozen language model that gives one embedding per phrase and per word.

The paper uses MobileBERT; any text encoder of transformers works. transformers is imported when a
model is loaded, not before. A word as the mean of its sub-word tokens is our reading.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import masked_mean
from rmlr_lightning.text.model_files import MiniLMPackage, ModelFiles, folder_or_hub_model
from rmlr_lightning.text.prompts import Phrase

POOLINGS = ("mean", "cls", "pooled")


class EncodedPhrase(NamedTuple):
    """The embeddings of one phrase."""

    sentence: Float[Tensor, "E"]
    words: Float[Tensor, "W E"]


class TextEncoder:
    """A frozen language model, loaded when the first phrase is encoded.

    Args:
        model_files: where the model comes from.
        pooling: how a sentence embedding is made from the last hidden states.
            "mean": their mean, special tokens included (as sentence-transformers does).
            "cls": the first one.
            "pooled": the model's own (BERT's pooler; CLIP's text features, in which case the
            words go through the same projection).
        batch_size: phrases per forward pass.

    Raises:
        UserError: `pooling` is none of these.
    """

    def __init__(
        self, model_files: ModelFiles, pooling: str = "mean", batch_size: int = 64
    ) -> None:
        if pooling not in POOLINGS:
            raise UserError(
                f"text.encoder.pooling={pooling!r}: choose one of {', '.join(POOLINGS)}"
            )
        self.model_files = model_files
        self.pooling = pooling
        self.batch_size = batch_size

    @classmethod
    def minilm(cls, pooling: str = "mean", batch_size: int = 64) -> "TextEncoder":
        """all-MiniLM-L6-v2 of an installed package; its authors pool by `mean`."""
        return cls(MiniLMPackage(), pooling, batch_size)

    @classmethod
    def from_hub(
        cls, name: str, revision: str | None = None, pooling: str = "mean", batch_size: int = 64
    ) -> "TextEncoder":
        """A local folder in the Hugging Face layout, or a hub id."""
        return cls(folder_or_hub_model(name, revision), pooling, batch_size)

    def fingerprint(self) -> dict[str, str]:
        """Everything that decides a phrase's embeddings; loads no model."""
        return {"weights": self.model_files.fingerprint(), "pooling": self.pooling}

    @cached_property
    def language_model(self):
        """The loaded model, a `LanguageModel`."""
        from rmlr_lightning.text.language_model import load_language_model

        return load_language_model(self.model_files.path(), self.model_files.revision)

    @torch.no_grad()
    def encode(self, phrases: Sequence[Phrase]) -> list[EncodedPhrase]:
        """The embeddings of each phrase, in order; float32 on the CPU.

        Raises:
            UserError: the model cannot be loaded, a phrase is too long for it, or a word has no
                token.
        """
        encoded: list[EncodedPhrase] = []
        for start in range(0, len(phrases), self.batch_size):
            encoded += self._encode_batch(phrases[start : start + self.batch_size])
        return encoded

    def _encode_batch(self, phrases: Sequence[Phrase]) -> list[EncodedPhrase]:
        hidden = self.language_model([phrase.text for phrase in phrases])
        states = hidden.states
        if self.pooling == "mean":
            sentences = masked_mean(states, hidden.mask)
        elif self.pooling == "cls":
            sentences = self.language_model.first_states(states)
        else:
            sentences, states = self.language_model.pooled_and_projected(hidden)

        encoded = []
        for index, phrase in enumerate(phrases):
            words = average_tokens_per_word(states[index], hidden.offsets[index], phrase)
            # A copy: a view would keep the batch's tensor in memory.
            encoded.append(EncodedPhrase(sentences[index].clone(), words))
        return encoded


def average_tokens_per_word(
    states: Float[Tensor, "L E"], offsets: Int[Tensor, "L 2"], phrase: Phrase
) -> Float[Tensor, "W E"]:
    """One embedding per word: the mean over the tokens whose characters overlap it.

    Args:
        offsets: (start, end) of each token in characters of the text; special tokens are empty.

    Raises:
        UserError: a word has no token.
    """
    spans = torch.tensor(phrase.spans).reshape(-1, 1, 2)
    first_character = torch.maximum(offsets[..., 0], spans[..., 0])
    end = torch.minimum(offsets[..., 1], spans[..., 1])
    in_word = (end > first_character).to(states.dtype)  # "W L"

    count = in_word.sum(1, keepdim=True)
    if (count == 0).any():
        word = phrase.words[int((count[:, 0] == 0).nonzero()[0])]
        raise UserError(
            f"the language model has no token for {word!r} in {phrase.text!r}; "
            "change text.templates"
        )
    return in_word @ states / count
