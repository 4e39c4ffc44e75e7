"""IRM, the interaction reasoning module: from pair tokens to verb logits. And its off-switch."""

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.models.attention import Block
from rmlr_lightning.types import Pairs, Scene, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

Bank = Callable[
    [], TextEmbeddings
]  # all IRMs may ask for the phrases' vectors when they are made; only `text` does
RATE = 0.01  # a classifier starts by saying "rarely" (focal loss, arXiv 1708.02002)


def verb_classifier(dim: int, verbs: int) -> nn.Linear:
    """A linear classifier whose scores start at `RATE`."""
    classifier = nn.Linear(dim, verbs)
    nn.init.constant_(classifier.bias, -math.log((1 - RATE) / RATE))
    return classifier


class LinearIRM(nn.Module):
    """IRM off: no reasoning, a linear classifier."""

    def __init__(self, dim: int, vocabulary: Vocabulary, bank: Bank | None = None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.classify = verb_classifier(dim, len(vocabulary.verbs))

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        tokens = self.norm(tokens)
        return tokens, self.classify(tokens)


class IRM(nn.Module):
    """Transformer layers over an image's pairs, then the classifier."""

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Bank | None = None,
        heads: int = 4,
        hidden: int = 256,
        layers: int = 1,
        dropout: float = 0.1,
        head_dim: int | None = None,
    ) -> None:
        super().__init__()
        blocks = (
            Block(dim, heads, hidden, dropout=dropout, head_dim=head_dim) for _ in range(layers)
        )
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(dim)
        self.classify = verb_classifier(dim, len(vocabulary.verbs))

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        for block in self.blocks:
            tokens = block(tokens, pairs.mask)
        tokens = self.norm(tokens)
        return tokens, self.classify(tokens)
