"""IRM, the interaction reasoning module: from pair tokens to verb logits. And its off-switch."""

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.models.attention import Block
from rmlr_lightning.types import Pairs, Scene, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

# Every IRM is given the embeddings of the phrases; only `irm_text` needs them.
Bank = Callable[[], TextEmbeddings]

# Probability of every verb before training, so that the many negatives do not dominate the first
# steps (focal loss, arXiv 1708.02002, section 3.3).
INITIAL_PROBABILITY = 0.01
INITIAL_BIAS = -math.log((1 - INITIAL_PROBABILITY) / INITIAL_PROBABILITY)


def verb_classifier(dim: int, verbs: int) -> nn.Linear:
    """A linear classifier whose scores start near `INITIAL_PROBABILITY`."""
    classifier = nn.Linear(dim, verbs)
    nn.init.constant_(classifier.bias, INITIAL_BIAS)
    return classifier


class LinearIRM(nn.Module):
    """IRM off: a linear classifier without reasoning."""

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
    """Transformer layers over the pairs of an image, then the classifier.

    Args:
        dim: width of pair tokens.
        vocabulary: its verbs are the classes.
        bank: not used.
        head_dim: width of an attention head; the heads share `dim` if None.
    """

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
        self.blocks = nn.ModuleList(
            Block(dim, heads, hidden, dropout=dropout, head_dim=head_dim) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.classify = verb_classifier(dim, len(vocabulary.verbs))

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        for block in self.blocks:
            tokens = block(tokens, pairs.mask)
        tokens = self.norm(tokens)
        return tokens, self.classify(tokens)
