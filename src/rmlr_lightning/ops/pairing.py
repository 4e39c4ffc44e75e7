"""Candidate pairs: every subject with every other entity."""

import torch
from jaxtyping import Bool
from torch import Tensor

from rmlr_lightning.ops.masked import compact, gather_rows
from rmlr_lightning.types import Entities, Pairs
from rmlr_lightning.vocabulary import PERSON


def pair(
    entities: Entities,
    valid_pairs: Bool[Tensor, "O V"] | None,
    subject: int | None = PERSON,
) -> Pairs:
    """All <human, object> pairs of different entities.

    Order: by human, then by object, as in UPT. An image without pairs has an all-False mask. P is
    what the fullest image of the batch needs: a GPU waits for this number.

    Args:
        valid_pairs: objects of a class without a valid verb are left out. None pairs all objects.
        subject: object class of the humans; None lets every entity be the human of a pair.
    """
    batch, count = entities.mask.shape
    human = entities.mask
    if subject is not None:
        human = human & (entities.labels == subject)
    usable = entities.mask
    if valid_pairs is not None:
        usable = usable & valid_pairs.any(1)[entities.labels]
    different = ~torch.eye(count, dtype=torch.bool, device=human.device)

    candidates = human[:, :, None] & usable[:, None, :] & different
    index, mask = compact(candidates.reshape(batch, count * count))
    index = torch.where(mask, index, 0)
    human_index, object_index = index // max(count, 1), index % max(count, 1)
    return Pairs(human_index, object_index, gather_rows(entities.labels, object_index), mask)
