"""The text teacher: a frozen language model that gives a phrase one vector, and one to each of its words.

The paper uses MobileBERT; any text encoder of transformers does. transformers is imported when a model is loaded, not
before. Pooling to words by the mean of their pieces is our reading.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import masked_mean
from rmlr_lightning.text.prompts import Phrase
from rmlr_lightning.text.sources import MiniLM, Weights, named

POOLINGS = ("mean", "cls", "pooled")


class Encoded(NamedTuple):
    """What the teacher says about one phrase."""

    sentence: Float[Tensor, "E"]
    words: Float[Tensor, "W E"]


class TextEncoder:
    """A language model, loaded when it is first asked.

    Args:
        weights: where the model comes from.
        pooling: the sentence is the `mean` of the last hidden states (special tokens included, as
            sentence-transformers), the first one (`cls`), or what the model itself makes of them (`pooled`: BERT's
            pooler; CLIP's text features, and then words go through the same projection).
        batch_size: phrases a pass.
    """

    def __init__(self, weights: Weights, pooling: str = "mean", batch_size: int = 64) -> None:
        if pooling not in POOLINGS:
            raise UserError(
                f"text.teacher.pooling={pooling!r}: choose one of {', '.join(POOLINGS)}"
            )
        self.weights, self.pooling, self.batch_size = weights, pooling, batch_size

    @classmethod
    def minilm(cls, pooling: str = "mean", batch_size: int = 64) -> "TextEncoder":
        """all-MiniLM-L6-v2 of an installed package; its authors pool by `mean`."""
        return cls(MiniLM(), pooling, batch_size)

    @classmethod
    def from_hub(
        cls, name: str, revision: str | None = None, pooling: str = "mean", batch_size: int = 64
    ) -> "TextEncoder":
        """A local folder in the Hugging Face layout, or a hub id."""
        return cls(named(name, revision), pooling, batch_size)

    def fingerprint(self) -> dict[str, str]:
        """What decides the vectors of a phrase; loads no model."""
        return {"weights": self.weights.fingerprint(), "pooling": self.pooling}

    @cached_property
    def _loaded(self):
        from rmlr_lightning.text.language_model import load

        return load(self.weights.path(), self.weights.revision)

    @torch.no_grad()
    def encode(self, phrases: Sequence[Phrase]) -> list[Encoded]:
        """Vectors of each phrase, on the CPU in float32."""
        out: list[Encoded] = []
        for start in range(0, len(phrases), self.batch_size):
            out += self._encode(phrases[start : start + self.batch_size])
        return out

    def _encode(self, phrases: Sequence[Phrase]) -> list[Encoded]:
        model = self._loaded
        states, mask, offsets, pooled = model([phrase.text for phrase in phrases])
        if self.pooling == "mean":
            sentences = masked_mean(states, mask)
        elif self.pooling == "cls":
            sentences = model.first(states)
        else:
            sentences, states = model.pooled(pooled, states)
        return [
            Encoded(sentence.clone(), average_pieces(state, offset, phrase))
            for sentence, state, offset, phrase in zip(
                sentences, states, offsets, phrases, strict=True
            )
        ]


def average_pieces(
    states: Float[Tensor, "L E"], offsets: Tensor, phrase: Phrase
) -> Float[Tensor, "W E"]:
    """One vector a word: the mean over the pieces whose characters (offsets, "L 2") lie in it."""
    spans = torch.tensor(phrase.spans).reshape(-1, 1, 2)
    overlap = torch.minimum(offsets[..., 1], spans[..., 1]) - torch.maximum(
        offsets[..., 0], spans[..., 0]
    )
    inside = (overlap > 0).to(states.dtype)
    count = inside.sum(1, keepdim=True)
    if (count == 0).any():
        lost = phrase.words[int((count[:, 0] == 0).nonzero()[0])]
        raise UserError(
            f"the language model has no token for {lost!r} in {phrase.text!r}; change text.templates"
        )
    return inside @ states / count
