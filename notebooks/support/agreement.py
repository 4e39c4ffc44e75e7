"""Agreement of a pair's projected token with its phrases, against the hardest wrong phrase."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.losses.word import WordAlignment
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.types import Positives, Prediction


class Agreement(NamedTuple):
    """One row per true pair whose object class has at least one wrong phrase."""

    true: Float[Tensor, "R"]  # score of the true phrase; the mean where there are several
    rival: Float[Tensor, "R"]  # best score of a wrong phrase of the same object class
    right: Bool[Tensor, "R"]  # the best phrase of the object class is a true one
    chance: Float[Tensor, "R"]  # probability of that for a random phrase


def agreement(loss: Alignment, prediction: Prediction, positives: Positives) -> Agreement:
    """Agreement of the tokens of a trained alignment, at its own site and level.

    A phrase is scored by the cosine of the projected token with its sentence embedding, or at word
    level with the words of the phrase that the token attends to.

    Args:
        loss: a trained alignment.
        prediction: of the model that it was trained with.
        positives: the interacting pairs (`ops.matching.select_positives`).
    """
    tokens = getattr(prediction, loss.site_tokens)
    rows = gather_rows(tokens, positives.index).flatten(0, 1)
    with torch.no_grad():
        projected = F.normalize(loss.project(rows.float()), dim=-1)
        if isinstance(loss, WordAlignment):
            cosines = word_cosines(loss, projected)
        else:
            cosines = projected @ loss.phrases.T

    same_object = positives.objects[:, None] == loss.phrase_objects
    return against_rivals(cosines, positives.phrases, same_object & positives.mask[:, None])


def against_rivals(
    scores: Float[Tensor, "R T"], true: Bool[Tensor, "R T"], candidates: Bool[Tensor, "R T"]
) -> Agreement:
    """Compare true with wrong candidates, row by row.

    Rows without a true candidate, or without a wrong one, are left out.
    """
    true, wrong = true & candidates, ~true & candidates
    keep = true.any(1) & wrong.any(1)
    scores, true, wrong = scores[keep], true[keep], wrong[keep]

    true_count, wrong_count = true.sum(1), wrong.sum(1)
    mean = torch.where(true, scores, 0.0).sum(1) / true_count
    best = torch.where(true, scores, -torch.inf).amax(1)
    rival = torch.where(wrong, scores, -torch.inf).amax(1)
    return Agreement(mean, rival, best > rival, true_count / (true_count + wrong_count))


def word_cosines(loss: WordAlignment, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R T"]:
    """Cosine of each unit row with the attended words of each phrase alone.

    The attended words of a phrase are v = sum of weight * word, with the loss's own attention. The
    cosine is projected . v / |v|; |v| follows from the products of the words with each other.
    """
    phrases = len(loss.phrase_objects)
    cosine = projected @ loss.words.T  # R words
    weight = (cosine / loss.temperature).exp()
    phrase_of_word = F.one_hot(loss.word_phrases, phrases).to(weight.dtype)  # words T

    # products of words of different phrases do not count
    same_phrase = loss.word_phrases[:, None] == loss.word_phrases
    products = (loss.words @ loss.words.T) * same_phrase
    squared_length = ((weight @ products) * weight) @ phrase_of_word
    return (weight * cosine) @ phrase_of_word / squared_length.clamp_min(1e-12).sqrt()


def classifier_agreement(
    prediction: Prediction, verbs: Bool[Tensor, "B P V"], valid_pairs: Bool[Tensor, "80 V"]
) -> Agreement:
    """The same comparison for the verb classifier: logits of the valid verbs of each object.

    Args:
        prediction: of any model, also one without language.
        verbs: true verbs of each pair.
        valid_pairs: valid object-verb pairs.
    """
    interacts = verbs.any(-1) & prediction.pairs.mask
    object_class = prediction.pairs.object_class[interacts]
    logits = prediction.logits[interacts].float()
    return against_rivals(logits, verbs[interacts], valid_pairs[object_class])
