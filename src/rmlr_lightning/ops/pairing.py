"""Every person with every other entity that some verb of the vocabulary goes with."""

import torch
from jaxtyping import Bool
from torch import Tensor

from rmlr_lightning.ops.masked import compact
from rmlr_lightning.ops.selection import PERSON
from rmlr_lightning.types import Entities, Pairs


def pair(entities: Entities, allowed: Bool[Tensor, "80 V"], multiple: int = 1) -> Pairs:
    """All <human, object> pairs of different entities; objects without any possible verb are left out.

    Order: by human, then by object, as in UPT. Images without a pair have an all-False mask. The number of columns is
    what the fullest image of the batch needs, rounded up to `multiple`.
    """
    batch, count = entities.mask.shape
    human = entities.mask & (entities.labels == PERSON)
    thing = entities.mask & allowed.any(1)[entities.labels]
    legal = (
        human[:, :, None]
        & thing[:, None, :]
        & ~torch.eye(count, dtype=torch.bool, device=human.device)
    )
    index, mask = compact(legal.reshape(batch, count * count), multiple)
    index = torch.where(mask, index, 0)
    return Pairs(index // max(count, 1), index % max(count, 1), mask)
