"""What all alignments share: which pairs have which phrases, and a site's projection to the language model's space.

A pair with three verbs has three phrases: targets are sets. Only training computes any of this.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.types import Prediction, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

SITES = {"ire": "ire_tokens", "irm": "irm_tokens"}


def chosen(option: str, name: str, among: Mapping[str, Any]) -> Any:
    """What `name` stands for.

    Raises:
        UserError: it is none of the choices.
    """
    if name not in among:
        raise UserError(f"loss.*.{option}={name}: choose one of {', '.join(among)}")
    return among[name]


class Positives(NamedTuple):
    """The pairs of a batch that interact: R rows, padded; T phrases of the vocabulary."""

    tokens: Float[Tensor, "R D"]
    objects: Int[Tensor, "R"]  # COCO index
    phrases: Bool[Tensor, "R T"]  # the row's true phrases
    mask: Bool[Tensor, "R"]


class Alignment(nn.Module, ABC):
    """A loss between projected tokens of one site and the vectors of their true phrases.

    Args:
        dim: width of the site's tokens.
        vocabulary: its HOIs are the phrases.
        bank: gives their vectors.
        site: "ire" or "irm"; both together are dual distillation.
        weight: of the term in the sum of losses; .03 to .1 beside a focal loss that ends near .04, .3 hurts.
        balance: a pair counts with (times its rarest phrase was seen) ** -balance, scaled to a mean of 1; 0 counts all
            alike.
        decay: share of the training over which the weight falls to 0, along half a cosine; 0 keeps it. Training says
            how far it is by `progress`, from 0 to 1.
        most: pairs an image that are aligned at most.
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
        most: int = 32,
    ) -> None:
        super().__init__()
        self.tokens = chosen("site", site, SITES)
        self.weight, self.balance, self.decay, self.most = weight, balance, decay, most
        self.progress = 0.0
        vectors = bank()
        self.project = nn.Linear(dim, vectors.sentences.shape[-1])
        self.register_buffer("allowed", vocabulary.valid_pairs(), persistent=False)
        self.register_buffer(
            "verb_of", torch.tensor([verb for verb, _ in vocabulary.hois]), persistent=False
        )
        self.register_buffer(
            "object_of", torch.tensor([thing for _, thing in vocabulary.hois]), persistent=False
        )
        self.register_buffer("seen", torch.zeros(len(vocabulary.hois)))

    def positives(self, prediction: Prediction, labels: Bool[Tensor, "B P V"]) -> Positives:
        """At most `most` interacting pairs of each image.

        On a CPU as many rows an image as the fullest needs; elsewhere always `most`, so that nothing waits for a count.
        """
        objects = gather_rows(prediction.scene.entities.labels, prediction.pairs.object)
        labels = (
            labels & self.allowed[objects]
        )  # a verb unknown for the detected object has no phrase
        real = (
            labels.view(torch.uint8).amax(-1).bool() & prediction.pairs.mask
        )  # `any` takes thrice as long on a CPU
        most = self.most
        if real.device.type == "cpu" and real.numel():
            most = min(most, max(1, int(real.sum(1).max())))
        order = real.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices[:, :most]
        mask = torch.gather(real, 1, order).flatten()
        thing = gather_rows(objects, order).flatten()
        verbs = gather_rows(labels, order).flatten(0, 1)
        phrases = verbs[:, self.verb_of] & (thing[:, None] == self.object_of) & mask[:, None]
        tokens = gather_rows(getattr(prediction, self.tokens), order).flatten(0, 1)
        return Positives(tokens, thing, phrases, mask)

    def forward(
        self, prediction: Prediction, labels: Bool[Tensor, "B P V"], prior: Float[Tensor, "B P V"]
    ) -> Float[Tensor, ""]:
        """The weighted mean over interacting pairs; 0, with gradients of 0, where there is none."""
        rows = self.positives(prediction, labels)
        with torch.autocast(
            rows.tokens.device.type, enabled=False
        ):  # cosines need more than eight bits
            loss = self.rows(rows, self.project(rows.tokens.float()))
        share = self.shares(rows)
        return self.weight * self.left() * (loss * share).sum() / share.sum().clamp_min(1e-6)

    def left(self) -> float:
        """What `decay` has left of the weight."""
        return (
            0.5 * (1 + math.cos(math.pi * min(1.0, self.progress / self.decay)))
            if self.decay
            else 1.0
        )

    @abstractmethod
    def rows(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R"]:
        """The loss of each row; whatever on padding."""

    def shares(self, rows: Positives) -> Float[Tensor, "R"]:
        """How much each row counts."""
        if not self.balance:
            return rows.mask.float()
        if self.training:
            self.seen += rows.phrases.sum(0)
        rarest = torch.where(rows.phrases, self.seen.clamp_min(1), torch.inf).amin(1)
        share = torch.where(rows.mask, rarest**-self.balance, 0.0)
        return share / share.sum().clamp_min(1e-6) * rows.mask.sum()


def centred(
    vectors: Float[Tensor, "*n E"], mask: Bool[Tensor, "*n"] | None = None
) -> Float[Tensor, "*n E"]:
    """Unit vectors after the mean over the vocabulary (over what is real) is taken away.

    Phrases of one template are much alike: without centring all cosines are near 1.
    """
    real = vectors if mask is None else vectors[mask]
    return F.normalize(vectors - real.flatten(0, -2).mean(0), dim=-1)
