"""A control of distillation: a site supervised by verb labels alone, without any text."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.losses.alignment import SITES, choice
from rmlr_lightning.losses.focal import FocalLoss
from rmlr_lightning.types import Labels, Prediction, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary


class AuxiliaryVerbs(nn.Module):
    """A linear verb classifier on one site's tokens, with the focal loss; in training only.

    Args:
        dim: width of the site's tokens.
        vocabulary: its verbs are the classes.
        bank: not used; the signature is that of the alignments.
        site: "ire" or "irm".
        weight, alpha, gamma: of the focal loss.
    """

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Callable[[], TextEmbeddings] | None = None,
        site: str = "ire",
        weight: float = 0.1,
        alpha: float = 0.5,
        gamma: float = 0.2,
    ) -> None:
        super().__init__()
        self.site_tokens = choice("site", site, SITES)
        self.classify = nn.Linear(dim, len(vocabulary.verbs))
        self.focal = FocalLoss(weight, alpha, gamma)

    def count(self, labels: Labels) -> Float[Tensor, ""]:
        """See `FocalLoss.count`."""
        return self.focal.count(labels)

    def forward(
        self, prediction: Prediction, labels: Labels, count: Float[Tensor, ""] | None = None
    ) -> Float[Tensor, ""]:
        """The weighted focal loss of the site's own logits. `count`: see `FocalLoss.forward`."""
        logits = self.classify(getattr(prediction, self.site_tokens))
        # torch 2.8 cannot trace `_replace`
        tokens = prediction.ire_tokens, prediction.irm_tokens
        own = Prediction(prediction.scene, prediction.pairs, *tokens, logits)
        return self.focal(own, labels, count)
