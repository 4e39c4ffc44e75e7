"""The object classes of a detector as those of the data set."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from rmlr_lightning.types import Entities


def class_index(detected: Sequence[str], objects: Sequence[str]) -> Int[Tensor, " classes"]:
    """For each class of a detector its index among `objects`, by name; -1 if it is none of them."""
    known = {name: index for index, name in enumerate(objects)}
    return torch.tensor([known.get(name, -1) for name in detected])


def with_object_classes(entities: Entities, index: Int[Tensor, " classes"]) -> Entities:
    """The entities with the labels of the data set; those of other classes are masked out.

    Args:
        entities: their labels are the detector's.
        index: see `class_index`.
    """
    # label 0 on what is masked out: -1 would be an index from the end
    labels = index[entities.labels]
    return entities._replace(labels=labels.clamp_min(0), mask=entities.mask & (labels >= 0))
