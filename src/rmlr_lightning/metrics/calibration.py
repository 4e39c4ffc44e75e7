"""How far scores are from probabilities, and the calibration that a validation split gives."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rmlr_lightning.metrics.columns import column
from rmlr_lightning.metrics.hicodet import PairTable, match_annotations
from rmlr_lightning.metrics.per_image import PerImageMetric
from rmlr_lightning.ops.calibration import Calibration, log_odds, probabilities
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary

TOP = 100  # detections per image, those that predictions return
# Nine of ten detections score less: counted, they would make the error of any scores small.
MIN_SCORE = 0.01
BINS = 15  # of Guo et al. (arXiv 1706.04599)
MIN_POSITIVES = 10  # verbs with fewer take the threshold of all verbs together
# The best F1 of a verb that is hardly ever found is at a probability that nobody calls likely.
MIN_THRESHOLD = 0.1


def expected_calibration_error(
    probability: np.ndarray, true: np.ndarray, bins: int = BINS
) -> float:
    """ECE: the mean distance between probability and precision, over bins of equal width.

    Naeini et al. (AAAI 2015), Guo et al. (arXiv 1706.04599).

    Args:
        probability: (K,) in [0, 1].
        true: (K,) bool.

    Returns:
        In [0, 1]; NaN without detections.
    """
    if not len(probability):
        return float("nan")
    _, expected, right = reliability_bins(probability, true, bins).T
    return float(np.abs(expected - right).sum() / len(probability))


def reliability_bins(probability: np.ndarray, true: np.ndarray, bins: int = BINS) -> np.ndarray:
    """What a reliability diagram shows: bins of equal width over [0, 1].

    Args: as `expected_calibration_error`.

    Returns:
        (bins, 3): detections, the sum of their probabilities, and how many are true.
    """
    # 1.0 belongs to the last bin
    place = np.minimum((probability * bins).astype(int), bins - 1)
    weights = (None, probability, true)
    return np.stack([np.bincount(place, weight, bins) for weight in weights], axis=1)


def fit_calibration(
    scores: np.ndarray, verbs: np.ndarray, true: np.ndarray, positives: np.ndarray
) -> Calibration | None:
    """Platt scaling, and the threshold of every verb with the largest F1, `MIN_THRESHOLD` at least.

    Args:
        scores: (K,) in [0, 1].
        verbs: (K,) indices.
        true: (K,) bool, the true positives.
        positives: (V,) annotated pairs of each verb.

    Returns:
        None without detections.
    """
    if not len(scores):
        return None
    x = log_odds(torch.from_numpy(scores)).numpy()
    slope, offset = _platt(x, true)
    fitted = Calibration(slope, offset, thresholds=())
    probability = probabilities(torch.from_numpy(scores), fitted).numpy()

    # F1 does not change with the scale: probabilities, because these are compared later
    common = best_threshold(probability, true, int(positives.sum()))
    thresholds = [common] * len(positives)
    for verb in np.flatnonzero(positives >= MIN_POSITIVES):
        rows = verbs == verb
        thresholds[verb] = best_threshold(probability[rows], true[rows], int(positives[verb]))
    return fitted._replace(thresholds=tuple(max(MIN_THRESHOLD, value) for value in thresholds))


def best_threshold(probability: np.ndarray, true: np.ndarray, positives: int) -> float:
    """The probability with the largest F1 of the detections from it on; 1 where none is true."""
    # the i-th value of F1 is that of the first i + 1 detections
    order = np.argsort(-probability, kind="stable")
    ranked, hits = probability[order], np.cumsum(true[order])
    if not len(hits) or not hits[-1]:
        return 1.0
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + positives)
    # rows of equal probability are taken together
    f1[:-1][ranked[:-1] == ranked[1:]] = 0
    return float(ranked[np.argmax(f1)])


def _platt(x: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the logistic regression of `true` on x, by Newton's method.

    With Platt's targets, which keep both finite where x separates the two kinds of rows (Lin et
    al., "A note on Platt's probabilistic outputs", 2007).
    """
    count = int(true.sum())
    goal = np.where(true, (count + 1) / (count + 2), 1 / (len(true) - count + 2))
    features = np.stack([x, np.ones_like(x)], 1)
    # from the constant that fits best, from which the loss can only fall
    weights = np.array([0.0, _logit(goal.mean())])
    loss = _log_loss(features @ weights, goal)
    for _ in range(100):
        p = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (p - goal)
        hessian = (features * (p * (1 - p))[:, None]).T @ features + 1e-10 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        # halved until it helps: a full step may overshoot
        while (new := _log_loss(features @ (weights - step), goal)) > loss and step.any():
            step /= 2
            step[np.abs(step) < 1e-12] = 0
        weights, improved, loss = weights - step, loss - new, new
        if improved < 1e-10 * max(1.0, abs(loss)):
            break
    # scores of a model that has learnt nothing may rank false above true
    if weights[0] < 0:
        return 0.0, _logit(goal.mean())
    return float(weights[0]), float(weights[1])


def _log_loss(z: np.ndarray, goal: np.ndarray) -> float:
    return float((np.logaddexp(0, z) - goal * z).sum())


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


class Reliability(PerImageMetric):
    """ECE of the ranking score and of the probability.

    Of each image the best `TOP` detections are read; those that score at least `MIN_SCORE` count.

    A detection is right if it is a true positive by HICO-DET's definition
    (`metrics.hicodet.match_annotations`), at most one per annotated pair.

    Args:
        vocabulary: of verbs and objects.
        split: "val" fits the calibration at `compute`; "test" uses the one that it is given.
    """

    scores: list[Tensor]
    codes: list[Tensor]  # 2 * verb + (true positive)
    true_verbs: list[Tensor]
    images: list[Tensor]  # id, number of detections, number of annotated pairs

    def __init__(self, vocabulary: Vocabulary, split: str = "test", **kwargs) -> None:
        rows = {
            "scores": (torch.float32, 0),
            "codes": (torch.int32, 0),
            "true_verbs": (torch.int32, 1),
        }
        super().__init__(rows, **kwargs)
        self.split = split
        self.calibration: Calibration | None = None
        # of the last `compute`, by key of its values; kept where states are reset
        self.bins: dict[str, list[list[float]]] = {}
        self.num_verbs = len(vocabulary.verbs)
        self._num_classes = self.num_verbs * len(vocabulary.objects)

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Match the best detections of a batch, one item per image."""
        if not targets:
            return
        best = [Detections(*(field[:TOP] for field in image)) for image in found]
        counts = [len(image.scores) for image in best]
        verbs = column(best, "verbs")
        scores = column(best, "scores").astype(np.float32)
        detections = PairTable(
            np.repeat(np.arange(len(targets)), counts),
            column(best, "boxes_h"),
            column(best, "boxes_o"),
            column(best, "objects") * self.num_verbs + verbs,
        )
        truth, true_verbs = self._truth(targets)
        true, _ = match_annotations(truth, detections, scores, len(targets), self._num_classes)
        self.keep(
            [int(target.image_id) for target in targets],
            [counts, np.bincount(truth.images, minlength=len(targets))],
            scores=scores,
            codes=2 * verbs + true,
            true_verbs=true_verbs,
        )

    def compute(self) -> dict[str, Tensor]:
        """`ece_score` and, with a calibration, `ece`, in [0, 1]; NaN where none counts."""
        _, rows = self.gather()
        scores = rows["scores"].astype(np.float64)
        verbs, true = rows["codes"] >> 1, (rows["codes"] & 1).astype(bool)
        # all processes have gathered the same rows, and fit the same numbers
        if self.split == "val":
            positives = np.bincount(rows["true_verbs"], minlength=self.num_verbs)
            self.calibration = fit_calibration(scores, verbs, true, positives)

        counted = scores >= MIN_SCORE
        scores, true = scores[counted], true[counted]
        shown = {"ece_score": scores}
        if self.calibration is not None:
            shown["ece"] = probabilities(torch.from_numpy(scores), self.calibration).numpy()
        self.bins = {key: reliability_bins(x, true).tolist() for key, x in shown.items()}
        return {
            key: self.tensor(np.array(expected_calibration_error(x, true)))
            for key, x in shown.items()
        }

    def _truth(self, targets: Sequence[Target]) -> tuple[PairTable, np.ndarray]:
        """The annotated pairs of a batch and their verbs; an empty role (V-COCO) is no pair."""
        images = np.repeat(np.arange(len(targets)), [len(item.verbs) for item in targets])
        verbs, objects = column(targets, "verbs"), column(targets, "objects")
        classes = objects * self.num_verbs + verbs
        truth = PairTable(images, column(targets, "boxes_h"), column(targets, "boxes_o"), classes)
        is_pair = objects >= 0
        return PairTable(*(values[is_pair] for values in truth)), verbs[is_pair]
