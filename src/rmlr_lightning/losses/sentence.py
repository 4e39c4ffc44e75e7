"""Sentence-level alignment: a pair's token and the embeddings of all its true phrases."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.losses.alignment import Alignment, Positives, centred, chosen
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary


class SentenceAlignment(Alignment):
    """Pulls the projected token to its true phrases.

    The paper aligns sentences many to many; the forms are our reading.

    Args:
        form: "infonce": the mean over true phrases of -log(e^s+ / (e^s+ + sum over negatives e^s-)), s = cosine over
            temperature;
            "soft": cross-entropy with a target shared out by phrase similarity instead of identity;
            "cosine": 1 - cosine with the mean of the true phrases; "l1": mean absolute difference from
            its direction.
        negatives: of infonce and soft: "batch", phrases true somewhere in the batch; "object", those among them and all
            others of the same object; "all", the vocabulary.
        temperature: of the cosines; where `learned`, its starting value.
        softness: temperature of the similarities that share the target of "soft" out.
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
        self.form = chosen("form", form, forms)
        self.negatives = chosen(
            "negatives", negatives, {name: name for name in ("batch", "object", "all")}
        )
        self.softness = softness
        self.log_temperature = nn.Parameter(
            torch.tensor(math.log(temperature)), requires_grad=learned
        )
        self.register_buffer("phrases", centred(bank().sentences), persistent=False)

    def rows(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R"]:
        return self.form(rows, F.normalize(projected, dim=-1))

    def similarities(self, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R T"]:
        """Cosines over temperature."""
        return projected @ self.phrases.T / self.log_temperature.exp().clamp_min(0.01)

    def rivals(self, rows: Positives) -> Tensor:
        """Which phrases stand in a row's denominator, its own included."""
        if self.negatives == "all":
            return torch.ones_like(rows.phrases)
        there = rows.phrases.any(0).expand_as(rows.phrases)
        if self.negatives == "object":
            there = there | (rows.objects[:, None] == self.object_of)
        return there

    def infonce(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R"]:
        logits = self.similarities(projected)
        others = torch.where(self.rivals(rows) & ~rows.phrases, logits, -torch.inf)
        against = others.logsumexp(1).nan_to_num(
            neginf=-1e4
        )  # no rival at all: nothing to be told apart from
        each = torch.logaddexp(logits, against[:, None]) - logits
        return torch.where(rows.phrases, each, 0.0).sum(1) / rows.phrases.sum(1).clamp_min(1)

    def soft(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R"]:
        allowed = self.rivals(rows) | ~rows.mask[:, None]
        shares = rows.phrases.sum(1, keepdim=True).clamp_min(1)
        alike = (
            (self.phrases @ self.phrases.T - 1) / self.softness
        ).exp()  # T T, 1 where a phrase meets itself
        # each true phrase shares its mass out among the row's rivals; in this order no R x T x T is needed
        mass = rows.phrases / (allowed.to(alike.dtype) @ alike).clamp_min(1e-12) / shares
        target = allowed * (mass @ alike)
        logits = torch.where(allowed, self.similarities(projected), -1e4)
        return -(target * logits.log_softmax(1)).sum(1)

    def cosine(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R"]:
        return 1 - (projected * F.normalize(self.mean(rows), dim=-1)).sum(-1)

    def l1(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R"]:
        # the mean over the width, of unit vectors: a sum over 384 numbers drowns the focal loss
        return (projected - F.normalize(self.mean(rows), dim=-1)).abs().mean(-1)

    def mean(self, rows: Positives) -> Float[Tensor, "R E"]:
        """The mean of a row's true phrases."""
        share = rows.phrases.float()
        return share @ self.phrases / share.sum(1, keepdim=True).clamp_min(1)
