"""Shared parts of all alignments with language: a site's projection to the text encoder's space.

A pair with three verbs has three phrases: targets are sets. Only training computes any of this.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import at_least_float32, gather_rows
from rmlr_lightning.types import Labels, Positives, Prediction, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

# A sum of weights below it is that of no row, whose total is 0.
MIN_COUNT = 1e-12

# fields of `Prediction` that a loss can read; both together are dual distillation
SITES = {"ire": "ire_tokens", "irm": "irm_tokens"}


def choice(option: str, name: str, choices: Mapping[str, Any]) -> Any:
    """choices[name], for an option of a loss.

    Raises:
        UserError: it is none of the choices.
    """
    if name not in choices:
        raise UserError(f"loss.*.{option}={name}: choose one of {', '.join(choices)}")
    return choices[name]


class Alignment(nn.Module, ABC):
    """A loss between projected tokens of one site and the text embeddings of their true phrases.

    Args:
        dim: width of the site's tokens.
        vocabulary: its HOIs are the phrases.
        bank: text embeddings of the phrases.
        site: "ire" or "irm"; both together are dual distillation.
        weight: of the term in the sum of losses. The focal loss ends near .5.
        balance: pairs are weighted by count(rarest phrase) ** -balance, and the mean over pairs
            becomes a weighted mean; 0 disables re-weighting. Counts are of this training so far.
        decay: share of the training over which the weight falls to 0, along half a cosine; 0
            keeps it constant. Training calls `set_progress`.
    """

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Callable[[], TextEmbeddings],
        site: str = "ire",
        weight: float = 0.1,
        balance: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.site_tokens = choice("site", site, SITES)
        self.weight, self.balance, self.decay = weight, balance, decay
        # a tensor: a number that changes would compile a graph for each of its values
        self.register_buffer("decay_factor", torch.ones(()), persistent=False)
        self.project = nn.Linear(dim, bank().sentences.shape[-1])
        phrase_objects = torch.tensor([object_class for _, object_class in vocabulary.hois])
        self.register_buffer("phrase_objects", phrase_objects, persistent=False)
        self.register_buffer("phrase_counts", torch.zeros(len(vocabulary.hois)))

    def observe(self, phrases: Float[Tensor, "T"]) -> None:
        """Count the phrases of a training step: rows with each of them."""
        self.phrase_counts += phrases

    def count(self, labels: Labels) -> Float[Tensor, ""]:
        """What the mean over the pairs of a batch is divided by: the sum of their weights."""
        return self.row_weights(labels.positives).sum()

    def forward(
        self, prediction: Prediction, labels: Labels, count: Float[Tensor, ""] | None = None
    ) -> Float[Tensor, ""]:
        """The weighted mean over interacting pairs; 0, with gradients of 0, where there is none.

        Args:
            count: of all batches of the step, which have been observed; None: this batch is the
                step.
        """
        return aligned([self], prediction, labels, [count])[0]

    @abstractmethod
    def row_losses(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R"]:
        """The loss of each row, from unit vectors; rows of padding are arbitrary but finite."""

    def options(self) -> tuple:
        """What `row_losses` depends on. Losses of equal options and type are computed together."""
        own = id(self) if self.balance or self.decay else None
        return self.weight, own, self.project.in_features, self.project.out_features

    def set_progress(self, progress: float) -> None:
        """The share of the training that is done, from 0 to 1."""
        if self.decay:
            done = min(1.0, progress / self.decay)
            self.decay_factor.fill_(0.5 * (1 + math.cos(math.pi * done)))

    def scaled(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Losses times the weight of the term at this moment of the training."""
        return self.weight * (self.decay_factor * values if self.decay else values)

    def row_weights(self, positives: Positives) -> Float[Tensor, "R"]:
        """Weight of each row, 0 on padding."""
        if not self.balance:
            return positives.mask.to(self.phrase_counts.dtype)
        counts = self.phrase_counts.clamp_min(1)
        rarest = torch.where(positives.phrases, counts, torch.inf).amin(1)
        return torch.where(positives.mask, rarest**-self.balance, 0.0)


def aligned(
    losses: Sequence[Alignment],
    prediction: Prediction,
    labels: Labels,
    counts: Sequence[Float[Tensor, ""] | None],
) -> list[Float[Tensor, ""]]:
    """The values of several alignments, as their `forward` gives them one by one.

    Those that differ in their site alone are one batch: a GPU is not busy with any of them.

    Args:
        counts: see `Alignment.forward`.
    """
    positives = labels.positives
    groups: dict[tuple, list[int]] = {}
    for index, loss in enumerate(losses):
        groups.setdefault((type(loss), *loss.options()), []).append(index)
    sites = {loss.site_tokens for loss in losses}
    rows = {
        name: gather_rows(getattr(prediction, name), positives.index).flatten(0, 1)
        for name in sites
    }
    if not losses:
        return []

    order = [index for members in groups.values() for index in members]
    ordered = [losses[index] for index in order]
    # cosines need more than bfloat16's eight bits
    with torch.autocast(positives.index.device.type, enabled=False):
        tokens = torch.stack([at_least_float32(rows[loss.site_tokens]) for loss in ordered])
        weight = torch.stack([loss.project.weight for loss in ordered])
        bias = torch.stack([loss.project.bias for loss in ordered])
        projected = torch.baddbmm(bias[:, None], tokens, weight.mT)
        parts = F.normalize(projected, dim=-1).split([len(members) for members in groups.values()])
        row_losses = [
            losses[members[0]].scaled(losses[members[0]].row_losses(positives, part))
            for members, part in zip(groups.values(), parts, strict=True)
        ]

        is_step = counts[0] is None
        for loss in ordered:
            if is_step and loss.balance and loss.training:
                loss.observe(positives.phrases.sum(0).to(loss.phrase_counts.dtype))
        weights = _row_weights(ordered, positives)
        total = (torch.cat(row_losses) * weights).sum(1)
        count = weights.sum(-1) if is_step else torch.stack([counts[index] for index in order])
        values = (total / count.clamp_min(MIN_COUNT)).unbind()
    return [values[order.index(index)] for index in range(len(losses))]


def _row_weights(losses: Sequence[Alignment], positives: Positives) -> Float[Tensor, "*losses R"]:
    """Weights of the rows for each loss; once, where all losses have the same."""
    if not any(loss.balance for loss in losses):
        return losses[0].row_weights(positives)
    return torch.stack([loss.row_weights(positives) for loss in losses])


def centred(
    embeddings: Float[Tensor, "*n E"], mask: Bool[Tensor, "*n"] | None = None
) -> Float[Tensor, "*n E"]:
    """Unit vectors after the mean over the vocabulary (over what is real) is subtracted.

    Phrases of one template are similar: without centring all cosines are near 1.
    """
    real = embeddings if mask is None else embeddings[mask]
    return F.normalize(embeddings - real.flatten(0, -2).mean(0), dim=-1)
