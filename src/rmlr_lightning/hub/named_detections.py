"""Detections with names, for people who do not know the indices of a vocabulary."""

from typing import NamedTuple

from rmlr_lightning.ops.calibration import Calibration, likely, probabilities
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import Vocabulary

LIKELY_SCORE = 0.1  # from which a triplet is likely where the model has no calibration

Box = tuple[float, float, float, float]


class Interaction(NamedTuple):
    """One detected interaction. Boxes are xyxy in pixels of the image."""

    score: float  # in [0, 1]; ranks, and is no probability
    verb: str
    object: str
    box_h: Box  # of the human
    box_o: Box  # of the object
    verb_index: int  # into the vocabulary's verbs
    object_index: int  # into the vocabulary's objects
    probability: float | None  # to be right; None where the model has no calibration
    likely: bool  # the probability reaches the verb's threshold, chosen on the validation split


def interactions(
    found: Detections,
    vocabulary: Vocabulary,
    calibration: Calibration | None = None,
    threshold: float = 0.0,
) -> list[Interaction]:
    """The detections of an image from this score on, best first."""
    if calibration is None:
        probability = [None] * len(found.scores)
        is_likely = found.scores >= LIKELY_SCORE
    else:
        values = probabilities(found.scores, calibration)
        probability, is_likely = values.tolist(), likely(values, found.verbs, calibration)

    # tolist() once per field, because an item of a tensor is slow to read
    rows = zip(*(field.tolist() for field in found), probability, is_likely.tolist(), strict=True)
    return [
        Interaction(
            score,
            vocabulary.verbs[verb],
            vocabulary.objects[object_index],
            tuple(box_h),
            tuple(box_o),
            verb,
            object_index,
            p,
            shown,
        )
        for box_h, box_o, object_index, verb, score, p, shown in rows
        if score >= threshold
    ]
