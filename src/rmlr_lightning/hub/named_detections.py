"""Detections with names, for people who do not know the indices of a vocabulary."""

from typing import NamedTuple

from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import Vocabulary

Box = tuple[float, float, float, float]


class Interaction(NamedTuple):
    """One detected interaction. Boxes are xyxy in pixels of the image."""

    score: float  # in [0, 1]
    verb: str
    object: str
    box_h: Box  # of the human
    box_o: Box  # of the object
    verb_index: int  # into the vocabulary's verbs
    object_index: int  # into the vocabulary's objects


def interactions(
    found: Detections, vocabulary: Vocabulary, threshold: float = 0.0
) -> list[Interaction]:
    """The detections of an image from this score on, best first."""
    # tolist() once per field, because an item of a tensor is slow to read
    rows = zip(*(field.tolist() for field in found), strict=True)
    return [
        Interaction(
            score,
            vocabulary.verbs[verb],
            vocabulary.objects[object_index],
            tuple(box_h),
            tuple(box_o),
            verb,
            object_index,
        )
        for box_h, box_o, object_index, verb, score in rows
        if score >= threshold
    ]
