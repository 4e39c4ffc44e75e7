"""The prior on the verbs of a pair, from detection scores and object classes."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.ops.masked import at_least_float32, gather_rows
from rmlr_lightning.types import Entities, Pairs

# float32's smallest normal number is 1.2e-38; exponentials below it are slow denormals
MIN_LOG_SCORE, MIN_SCORE = -87, 2e-38


def log_prior(
    entities: Entities, pairs: Pairs, valid_pairs: Bool[Tensor, "O V"], power: float
) -> Float[Tensor, "B P V"]:
    """power * log(score_h * score_o); -inf for invalid object-verb pairs and on padding.

    UPT (arXiv 2112.01838, section 4.2): power 1 in training, 2.8 in evaluation.
    """
    scores = at_least_float32(entities.scores)
    score_h, score_o = gather_rows(scores, pairs.human), gather_rows(scores, pairs.object)
    log_score = power * (score_h * score_o).clamp_min(1e-12).log()
    valid = valid_pairs[pairs.object_class] & pairs.mask[..., None]
    return torch.where(valid, log_score[..., None], -torch.inf)


def verb_scores(
    logits: Float[Tensor, "B P V"], log_prior: Float[Tensor, "B P V"]
) -> Float[Tensor, "B P V"]:
    """sigmoid(logit) * prior in [0, 1]; 0 for invalid object-verb pairs, and below 2e-38."""
    log_score = (F.logsigmoid(at_least_float32(logits)) + log_prior).clamp_min(MIN_LOG_SCORE)
    return F.threshold(log_score.exp(), MIN_SCORE, 0.0)
