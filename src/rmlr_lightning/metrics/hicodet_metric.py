"""HICO-DET's evaluation as a torchmetrics class: matched image by image, ranked at the end."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rmlr_lightning.metrics.base import TableRow
from rmlr_lightning.metrics.columns import column
from rmlr_lightning.metrics.hicodet import (
    HICODetResult,
    PairTable,
    known_object_rows,
    match_annotations,
    score_settings,
)
from rmlr_lightning.metrics.per_image import PerImageMetric
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary, hicodet


def _row(title: str, prefix: str = "") -> TableRow:
    means = ("full", "rare", "non-rare", "unseen", "seen", "harmonic")
    return TableRow(title, {name: f"{prefix}map_{name.replace('-', '_')}" for name in means})


class HICODetMeanAP(PerImageMetric):
    """mAP over HOI classes, Default and Known Object, equal on any batches, order and processes.

    `Target.image_id` identifies an image and orders ties between images; within an image, ties keep
    the order of the rows. An image that comes twice (a padding sampler) counts once, at its first
    appearance. Detections of a verb and an object that form no HOI of the vocabulary are left out.

    Args:
        vocabulary: its hois are the classes; HICO-DET's 600 if None.
        known_object: also report the Known Object setting; None: on the test split only.
        image_order: image ids in the order of ties, where that is not ascending.
        unseen: HOIs hidden in training; their mean and that of the others are reported too.
        split: "val" or "test"; decides `known_object`.

    Example:
        >>> metric = HICODetMeanAP()
        >>> metric.update([], [])
        >>> sorted(metric.compute())  # doctest: +NORMALIZE_WHITESPACE
        ['known_object_map_full', 'known_object_map_non_rare', 'known_object_map_rare',
         'map_full', 'map_non_rare', 'map_rare']
    """

    table = (_row("Default"), _row("Known Object", "known_object_"))

    # One entry per detection. `codes` is 4 * hoi + 2 * (kept by Known Object) + (true positive).
    scores: list[Tensor]
    codes: list[Tensor]
    # One entry per true pair, and three per image: id, number of detections, number of pairs.
    true_hois: list[Tensor]
    images: list[Tensor]

    def __init__(
        self,
        vocabulary: Vocabulary | None = None,
        known_object: bool | None = None,
        image_order: Sequence[int] | None = None,
        unseen: frozenset[int] = frozenset(),
        split: str = "test",
        **kwargs,
    ) -> None:
        # Integers count exactly; float64 holds scores of any precision without making new ties.
        rows = {
            "scores": (torch.float64, 0),
            "codes": (torch.int32, 0),
            "true_hois": (torch.int32, 1),
        }
        super().__init__(rows, image_order, **kwargs)
        self.vocabulary = hicodet() if vocabulary is None else vocabulary
        self.known_object = split == "test" if known_object is None else known_object
        self.unseen = np.isin(np.arange(len(self.vocabulary.hois)), sorted(unseen))
        self._hoi_of = self.vocabulary.hoi_table().astype(np.int32)

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Match a batch.

        Args:
            found: one item per image.
            targets: likewise. An image without pairs counts too. Known Object reads the
                image-level labels `image_hois`; where an image has none, those of its pairs.

        Raises:
            ValueError: unequal lengths, a NaN score, or a verb, object or HOI that the vocabulary
                does not have.
        """
        if len(found) != len(targets):
            raise ValueError(
                f"{len(found)} detections for {len(targets)} targets: give one item per image"
            )
        if not targets:
            return
        numbers = np.arange(len(targets), dtype=np.int32)

        detections, scores, objects = self._detections(numbers, found)
        truth = self._truth(numbers, targets)
        true, _ = match_annotations(
            truth, detections, scores, len(targets), len(self.vocabulary.hois)
        )

        codes = detections.hois * np.int32(4) + true
        if self.known_object:
            labels = [_image_hois(target) for target in targets]
            codes += known_object_rows(
                detections.images, objects, labels, self.vocabulary
            ) * np.int32(2)

        # Only HOIs are kept; matching has left out the others already.
        is_hoi = detections.hois >= 0
        ranked = np.bincount(detections.images[is_hoi], minlength=len(targets))
        annotated = np.bincount(truth.images, minlength=len(targets))
        self.keep(
            [int(target.image_id) for target in targets],
            [ranked, annotated],
            scores=scores[is_hoi],
            codes=codes[is_hoi],
            true_hois=truth.hois,
        )

    def compute(self) -> dict[str, Tensor]:
        """`map_full`, `map_rare`, `map_non_rare`, and the same with the prefix `known_object_`.

        With `unseen` also `map_unseen`, `map_seen` and `map_harmonic`, the harmonic mean of the
        two. In [0, 1]; NaN where the vocabulary has no such class. `per_class` has the AP of each
        class.
        """
        self._results = self.results()
        out = {}
        for setting, result in self._results.items():
            prefix = "" if setting == "default" else f"{setting}_"
            for name in ("full", "rare", "non_rare"):
                out[f"{prefix}map_{name}"] = self.tensor(np.array(getattr(result, name)))

            if self.unseen.any():
                unseen, seen = (
                    result.ap[classes].mean() if classes.any() else np.nan
                    for classes in (self.unseen, ~self.unseen)
                )
                means = {"unseen": unseen, "seen": seen, "harmonic": _harmonic(unseen, seen)}
                for name, mean in means.items():
                    out[f"{prefix}map_{name}"] = self.tensor(np.array(mean))
        return out

    def per_class(self) -> dict[str, Tensor]:
        """`ap`, `recall`, `positives`, `detections` of each class, (C,), and `known_object_ap`, ...

        Over all processes, so all of them must call it, unless `compute` ran since the last update.
        """
        self.compute()
        out = {}
        for setting, result in self._results.items():
            prefix = "" if setting == "default" else f"{setting}_"
            for name in ("ap", "recall", "positives", "detections"):
                out[prefix + name] = self.tensor(getattr(result, name))
        return out

    def results(self) -> dict[str, HICODetResult]:
        """As `score_settings`, for the images of this process."""
        _, rows = self.gather()
        scores, codes = rows["scores"], rows["codes"]
        single = scores.astype(np.float32)
        if np.array_equal(single, scores):
            scores = single  # which sorts faster

        positives = np.bincount(rows["true_hois"], minlength=len(self.vocabulary.hois))
        inside = (codes & 2).astype(bool) if self.known_object else None
        return score_settings(
            codes >> 2, scores, (codes & 1).astype(bool), positives, self.vocabulary, inside
        )

    def _detections(
        self, numbers: np.ndarray, found: Sequence[Detections]
    ) -> tuple[PairTable, np.ndarray, np.ndarray]:
        """The checked rows of a batch with their scores and COCO objects."""
        verbs, objects = column(found, "verbs"), column(found, "objects")
        scores = column(found, "scores")

        # As unsigned numbers, negative ones are huge: one comparison checks both ends.
        num_objects, num_verbs = self._hoi_of.shape
        if len(verbs) and (
            verbs.astype(np.uint64).max() >= num_verbs
            or objects.astype(np.uint64).max() >= num_objects
        ):
            raise ValueError(
                "detections hold a verb or object outside the vocabulary of the metric"
            )
        if np.isnan(scores.max(initial=0)):
            raise ValueError("detections hold NaN scores, which cannot be ranked")

        images = np.repeat(numbers, [len(item.scores) for item in found])
        rows = PairTable(
            images,
            column(found, "boxes_h"),
            column(found, "boxes_o"),
            self._hoi_of[objects, verbs],
        )
        return rows, scores, objects

    def _truth(self, numbers: np.ndarray, targets: Sequence[Target]) -> PairTable:
        """The checked annotated pairs of a batch."""
        hois = column(targets, "hois")
        if hois.max(initial=-1) >= len(self.vocabulary.hois):
            raise ValueError("targets hold a HOI outside the vocabulary of the metric")

        images = np.repeat(numbers, [len(item.hois) for item in targets])
        truth = PairTable(images, column(targets, "boxes_h"), column(targets, "boxes_o"), hois)
        if hois.min(initial=0) < 0:  # an empty role (V-COCO) is no pair
            truth = PairTable(*(values[hois >= 0] for values in truth))
        return truth


def _harmonic(a: float, b: float) -> float:
    """The harmonic mean of two numbers from 0; 0 where one of them is."""
    return 0.0 if a == 0 or b == 0 else 2 * a * b / (a + b)


def _image_hois(target: Target) -> frozenset[int]:
    if target.image_hois is not None:
        return target.image_hois
    return frozenset(hoi for hoi in target.hois.tolist() if hoi >= 0)
