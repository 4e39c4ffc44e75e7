"""The focal loss on the verbs of pairs."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.ops.masked import at_least_float32, can_count
from rmlr_lightning.types import Labels, Prediction

LOWEST = -100  # of valid verbs it is -28: scores are clamped


def focal(
    log_p: Float[Tensor, "*n"], labels: Bool[Tensor, "*n"], alpha: float, gamma: float
) -> Float[Tensor, "*n"]:
    """Elementwise binary focal loss from log-probabilities (arXiv 1708.02002, equation 5)."""
    p = log_p.exp().clamp(1e-8, 1 - 1e-7)
    log_likelihood = torch.where(labels, log_p, torch.log1p(-p))
    distance = torch.where(labels, 1 - p, p)
    weight = labels * (1 - 2 * alpha) + (alpha - 1)  # -alpha where True, else alpha - 1
    return weight * distance**gamma * log_likelihood


class FocalLoss(nn.Module):
    """Focal loss on sigmoid(logit) * prior, over valid verbs, divided by the number of positives.

    The prior joins the probability as in UPT (arXiv 2112.01838, equation 8). The number of
    positives is that of the whole optimiser step, at least 1 (`tasks.step`).
    """

    def __init__(self, weight: float = 1.0, alpha: float = 0.5, gamma: float = 0.2) -> None:
        super().__init__()
        self.weight, self.alpha, self.gamma = weight, alpha, gamma

    def count(self, labels: Labels) -> Float[Tensor, ""]:
        """The number of positives of a batch."""
        return (labels.verbs & labels.valid).sum(dtype=labels.log_prior.dtype)

    def forward(
        self, prediction: Prediction, labels: Labels, count: Float[Tensor, ""] | None = None
    ) -> Float[Tensor, ""]:
        """The weighted loss of a batch.

        Args:
            count: positives of all batches of the step; those of this batch if None.
        """
        if count is None:
            count = self.count(labels)
        logits, verbs, valid, log_prior = (
            prediction.logits,
            labels.verbs,
            labels.valid,
            labels.log_prior,
        )
        if can_count(valid):
            # Few verbs are valid for an object (6 % for HICO-DET): only they are computed.
            index = valid.flatten().nonzero().squeeze(1)
            logits, verbs, valid, log_prior = (
                values.flatten().index_select(0, index)
                for values in (logits, verbs, valid, log_prior)
            )
        # finite where a verb is not valid, too
        log_p = F.logsigmoid(at_least_float32(logits)) + log_prior.clamp_min(LOWEST)
        total = (focal(log_p, verbs, self.alpha, self.gamma) * valid).sum()
        return self.weight * total / count.clamp_min(1)
