"""Precision at the recall levels of HICO-DET's AP, whose mean is the AP."""

import numpy as np

from rmlr_lightning.metrics.average_precision import RECALL_LEVELS, curves
from rmlr_lightning.scoring.matched import MatchedDetections


def precision_at_levels(matched: MatchedDetections) -> np.ndarray:
    """The best precision of each class from each of the eleven recall levels on, (C, 11).

    0 where the level is not reached. The mean over the levels is HICO-DET's AP.
    """
    classes = len(matched.names)
    (points,) = curves(matched.classes, matched.scores, matched.true, classes)
    bounds = np.searchsorted(points.classes, np.arange(classes + 1))
    out = np.zeros((classes, len(RECALL_LEVELS)))
    for index in np.flatnonzero(np.diff(bounds)):
        part = slice(bounds[index], bounds[index + 1])
        recall = points.true[part] / matched.positives[index]
        precision = points.true[part] / points.ranked[part]
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        # one more point: precision 0 beyond the last true positive
        reached = np.searchsorted(recall, RECALL_LEVELS)
        out[index] = np.append(envelope, 0.0)[reached]
    return out
