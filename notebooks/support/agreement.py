"""How well a pair's projected token agrees with its phrase: against the hardest wrong phrase of the same object."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.losses.word import WordAlignment
from rmlr_lightning.types import Prediction


class Agreement(NamedTuple):
    """Of the true pairs whose object has at least one wrong phrase, R rows."""

    true: Float[Tensor, "R"]  # cosine with the true phrase; the mean where there are several
    rival: Float[Tensor, "R"]  # cosine with the wrong phrase of the same object that is nearest
    right: Bool[Tensor, "R"]  # the nearest phrase of the object is a true one
    chance: Float[Tensor, "R"]  # of that, if phrases were drawn


def agreement(loss: Alignment, prediction: Prediction, labels: Bool[Tensor, "B P V"]) -> Agreement:
    """Of the tokens that a trained alignment projects, at its own site and level.

    Args:
        loss: sentence level: a phrase is its embedding; word level: a phrase is what the token reads among its words.
        labels: which pairs show which verbs (`ops.match_pairs`).
    """
    with torch.no_grad():
        rows = loss.positives(prediction, labels)
        projected = F.normalize(loss.project(rows.tokens.float()), dim=-1)
        cosines = (
            word_cosines(loss, projected)
            if isinstance(loss, WordAlignment)
            else projected @ loss.phrases.T
        )
        return against_rivals(
            cosines, rows.phrases, (rows.objects[:, None] == loss.object_of) & rows.mask[:, None]
        )


def against_rivals(
    scores: Float[Tensor, "R T"], true: Bool[Tensor, "R T"], among: Bool[Tensor, "R T"]
) -> Agreement:
    """Rows without a true one, or without a wrong one, among the candidates are left out."""
    true, wrong = true & among, ~true & among
    keep = true.any(1) & wrong.any(1)
    scores, true, wrong = scores[keep], true[keep], wrong[keep]
    mean = torch.where(true, scores, 0.0).sum(1) / true.sum(1)
    best = torch.where(true, scores, -torch.inf).amax(1)
    rival = torch.where(wrong, scores, -torch.inf).amax(1)
    return Agreement(mean, rival, best > rival, true.sum(1) / (true.sum(1) + wrong.sum(1)))


def word_cosines(loss: WordAlignment, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R T"]:
    """Cosine of each unit row with what it would read from each phrase alone, by the loss's own attention."""
    phrases = len(loss.object_of)
    cosine = projected @ loss.words.T  # R words
    weight = (cosine / loss.temperature).exp()
    owner = F.one_hot(loss.phrase_of, phrases).to(weight.dtype)  # words T
    gram = (loss.words @ loss.words.T) * (loss.phrase_of[:, None] == loss.phrase_of)
    length = ((weight @ gram) * weight) @ owner  # squared, of the sum of weight * word
    return (weight * cosine) @ owner / length.clamp_min(1e-12).sqrt()


def recognised(
    prediction: Prediction, labels: Bool[Tensor, "B P V"], allowed: Bool[Tensor, "80 V"]
) -> Agreement:
    """The same question to the verb classifier: its logits in place of cosines. Needs no language."""
    real = labels.any(-1) & prediction.pairs.mask
    batch, pair = torch.nonzero(real, as_tuple=True)
    objects = prediction.scene.entities.labels[batch, prediction.pairs.object[batch, pair]]
    return against_rivals(
        prediction.logits[batch, pair].float(), labels[batch, pair], allowed[objects]
    )
