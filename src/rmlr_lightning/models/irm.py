"""IRM, the interaction reasoning module: from pair tokens to verb logits. And its off-switch."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.models.attention import Block
from rmlr_lightning.types import Pairs, Scene


def verb_classifier(dim: int, verbs: int, rate: float = 0.01) -> nn.Linear:
    """A linear classifier that starts by saying "rarely" (focal loss, arXiv 1708.02002)."""
    classifier = nn.Linear(dim, verbs)
    nn.init.constant_(classifier.bias, -math.log((1 - rate) / rate))
    return classifier


class LinearIRM(nn.Module):
    """IRM off: no reasoning, a linear classifier."""

    def __init__(self, dim: int, verbs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.classify = verb_classifier(dim, verbs)

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        tokens = self.norm(tokens)
        return tokens, self.classify(tokens)


class IRM(nn.Module):
    """Transformer layers over an image's pairs, then the classifier."""

    def __init__(self, dim: int, verbs: int, heads: int, hidden: int, layers: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads, hidden, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.classify = verb_classifier(dim, verbs)

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        for block in self.blocks:
            tokens = block(tokens, pairs.mask)
        tokens = self.norm(tokens)
        return tokens, self.classify(tokens)
