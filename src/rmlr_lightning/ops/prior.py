"""Detection scores and object classes as a prior on the verbs of a pair, and how it joins the logits."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.types import Entities, Pairs


def log_prior(
    entities: Entities, pairs: Pairs, allowed: Bool[Tensor, "80 V"], power: float = 1.0
) -> Float[Tensor, "B P V"]:
    """power * log(score_h * score_o); -inf for verbs impossible with the object's class, and on padding.

    UPT (arXiv 2112.01838, section 4.2): power 1 in training, 2.8 in evaluation.
    """
    score_h, score_o = (
        gather_rows(entities.scores, index).float() for index in (pairs.human, pairs.object)
    )
    log_score = power * (score_h * score_o).clamp_min(1e-12).log()
    possible = allowed[gather_rows(entities.labels, pairs.object)] & pairs.mask[..., None]
    return torch.where(possible, log_score[..., None], -torch.inf)


def verb_scores(
    logits: Float[Tensor, "B P V"], prior: Float[Tensor, "B P V"]
) -> Float[Tensor, "B P V"]:
    """Scores in [0, 1]: sigmoid(logit) * prior; 0 where the verb is impossible, and below 2e-38."""
    logs = (F.logsigmoid(logits.float()) + prior).clamp_min(-87)  # the exponential of -inf is slow
    return F.threshold(logs.exp(), 2e-38, 0.0)
