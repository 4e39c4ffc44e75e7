"""A control of distillation: a site taught by verb labels alone, without any text."""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from rmlr_lightning.losses.alignment import SITES, chosen
from rmlr_lightning.losses.focal import FocalLoss
from rmlr_lightning.types import Prediction, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary


class AuxiliaryVerbs(nn.Module):
    """A linear verb classifier on one site's tokens, with the focal loss of the IRM; used in training only.

    Args:
        dim: width of the site's tokens.
        vocabulary: its verbs are the classes.
        bank: not asked; the signature is that of the alignments.
        site: "ire" or "irm".
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
        self.tokens = chosen("site", site, SITES)
        self.classify = nn.Linear(dim, len(vocabulary.verbs))
        self.focal = FocalLoss(weight, alpha, gamma)

    def forward(
        self, prediction: Prediction, labels: Bool[Tensor, "B P V"], prior: Float[Tensor, "B P V"]
    ) -> Float[Tensor, ""]:
        """The weighted focal loss of the site's own verbs."""
        logits = self.classify(getattr(prediction, self.tokens))
        return self.focal(prediction._replace(logits=logits), labels, prior)
