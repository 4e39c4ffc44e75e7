"""The object classes of a detector as those of the data set."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import Vocabulary


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


def without_detections(detected: Sequence[str], vocabulary: Vocabulary) -> str | None:
    """How many HOIs cannot be found, because the detector lacks their object class.

    Args:
        detected: names of the detector's classes.

    Returns:
        One sentence for the user; None if the detector has all classes.
    """
    known = set(detected)
    names = vocabulary.objects
    lost = [obj for _, obj in vocabulary.hois if names[obj] not in known]
    if not lost:
        return None
    missing = sorted({names[obj] for obj in lost})
    some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    return (
        f"model.detector: it has no class for {len(missing)} of the data set's object classes "
        f"({some}), so {len(lost)} of its {len(vocabulary.hois)} HOIs cannot be found; fine-tune "
        "it on the data set's boxes (experiment=detector)"
    )
