"""Sentence-level alignment: a pair's token and the sentence embeddings of all its true phrases."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.losses.alignment import Alignment, centred, choice
from rmlr_lightning.types import Positives, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

NEGATIVES = ("batch", "object", "all")
# in place of -inf where a whole row may be masked: finite, and its exponential is 0
VERY_LOW = -1e4


class SentenceAlignment(Alignment):
    """Pulls the projected token to the embeddings of its true phrases.

    The paper aligns sentences many to many; the forms are our reading. Arguments not listed here
    are those of `Alignment`.

    Args:
        form: "infonce": the mean over true phrases of -log(e^s+ / (e^s+ + sum over negatives
            e^s-)), with s = cosine / temperature;
            "soft": cross-entropy with a target that is spread by the similarity of phrases;
            "cosine": 1 - cosine with the mean of the true phrases;
            "l1": mean absolute difference from the direction of that mean.
        negatives: of infonce and soft: "batch", phrases that are true somewhere in the batches of
            the optimiser step, of all processes;
            "object", those and all others of the same object; "all", the vocabulary.
        temperature: of the cosines; where `learned`, its initial value.
        softness: temperature of the similarities that spread the target of "soft".
    """

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Callable[[], TextEmbeddings],
        form: str = "infonce",
        negatives: str = "object",
        temperature: float = 0.1,
        learned: bool = False,
        softness: float = 0.1,
        **options: object,
    ) -> None:
        super().__init__(dim, vocabulary, bank, **options)
        forms = {"infonce": self.infonce, "soft": self.soft, "cosine": self.cosine, "l1": self.l1}
        self.form, self.form_name = choice("form", form, forms), form
        self.negatives = choice("negatives", negatives, {name: name for name in NEGATIVES})
        self.temperature, self.softness = temperature, softness
        self.log_temperature = nn.Parameter(
            torch.tensor(math.log(temperature)), requires_grad=learned
        )
        self.register_buffer("phrases", centred(bank().sentences), persistent=False)

    def options(self) -> tuple:
        learned = id(self) if self.log_temperature.requires_grad else None
        form = self.form_name, self.negatives, self.temperature, self.softness
        return *super().options(), *form, learned

    def row_losses(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R"]:
        return self.form(positives, projected)

    def infonce(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R"]:
        """Each true phrase against the row's negatives; true phrases do not repel each other."""
        logits = self._logits(projected)
        is_negative = self._candidates(positives) & ~positives.phrases
        # the loss is 0 where there are no negatives
        negatives = torch.where(is_negative, logits, VERY_LOW).logsumexp(-1)

        # log(e^s+ + sum of e^s-) - s+
        losses = F.softplus(negatives[..., None] - logits)  # S R T
        true_count = positives.phrases.sum(1).clamp_min(1)
        return (losses * positives.phrases).sum(-1) / true_count

    def soft(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R"]:
        """Each true phrase spreads its share of the target over candidates that are similar."""
        candidates = self._candidates(positives) | ~positives.mask[:, None]
        phrases = positives.phrases.to(projected.dtype)
        share = phrases / phrases.sum(1, keepdim=True).clamp_min(1)
        similarity = ((self.phrases @ self.phrases.T - 1) / self.softness).exp()  # T T, diagonal 1

        # normalising before the product avoids a tensor of R x T x T
        normaliser = (candidates.to(similarity.dtype) @ similarity).clamp_min(1e-12)
        target = candidates * ((share / normaliser) @ similarity)
        logits = torch.where(candidates, self._logits(projected), VERY_LOW)
        return -(target * logits.log_softmax(-1)).sum(-1)

    def cosine(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R"]:
        return 1 - (projected * self._mean_phrase(positives)).sum(-1)

    def l1(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R"]:
        # a mean over the width: a sum over 384 numbers would drown the focal loss
        return (projected - self._mean_phrase(positives)).abs().mean(-1)

    def _logits(self, projected: Float[Tensor, "*sites R E"]) -> Float[Tensor, "*sites R T"]:
        """Cosines over temperature."""
        return projected @ self.phrases.T / self.log_temperature.exp().clamp_min(0.01)

    def _candidates(self, positives: Positives) -> Bool[Tensor, "R T"]:
        """Phrases in the denominator of each row, its true ones included."""
        if self.negatives == "all":
            return torch.ones_like(positives.phrases)
        in_step = positives.phrases.any(0) if positives.in_step is None else positives.in_step > 0
        candidates = in_step.expand_as(positives.phrases)
        if self.negatives == "object":
            candidates = candidates | (positives.objects[:, None] == self.phrase_objects)
        return candidates

    def _mean_phrase(self, positives: Positives) -> Float[Tensor, "R E"]:
        """Direction of the mean of each row's true phrases."""
        share = positives.phrases.to(self.phrases.dtype)
        mean = share @ self.phrases / share.sum(1, keepdim=True).clamp_min(1)
        return F.normalize(mean, dim=-1)
