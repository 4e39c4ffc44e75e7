"""HICO-DET's evaluation as a torchmetrics class: matched image by image, ranked at the end."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rmlr_lightning.metrics.hicodet import (
    HICODetResult,
    PairTable,
    known_object_rows,
    match_pairs,
    score_settings,
)
from rmlr_lightning.metrics.per_image import PerImageMetric, column
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary, hicodet


class HICODetMeanAP(PerImageMetric):
    """mAP over HOI classes, Default and Known Object, equal on any batches, order and number of processes.

    `Target.image_id` identifies an image and orders ties between images; within an image ties keep the order of the
    rows. An image that comes twice (a padding sampler) counts once: its first appearance stays.
    Detections of a verb with an object that is no HOI of the vocabulary are left out.

    Args:
        vocabulary: its hois are the classes; HICO-DET's 600 if None.
        known_object: report the Known Object setting too.
        prefix: put before every key, such as "val/".
        image_order: image ids in the order of the truth, where that is not ascending and ties matter.
        unseen: classes that training did not show; their mean and that of the others are reported too.

    Example:
        >>> metric = HICODetMeanAP()
        >>> metric.update([], [])
        >>> sorted(metric.compute())  # doctest: +NORMALIZE_WHITESPACE
        ['known_object_map_full', 'known_object_map_non_rare', 'known_object_map_rare',
         'map_full', 'map_non_rare', 'map_rare']
    """

    # One entry a detection. `codes` is 4 * hoi + 2 * (kept by Known Object) + (true positive).
    scores: list[Tensor]
    codes: list[Tensor]
    # One entry a true pair, and three an image: its id, how many detections and how many pairs it has.
    true_hois: list[Tensor]
    images: list[Tensor]

    def __init__(
        self,
        vocabulary: Vocabulary | None = None,
        known_object: bool = True,
        prefix: str = "",
        image_order: Sequence[int] | None = None,
        unseen: frozenset[int] = frozenset(),
        **kwargs,
    ) -> None:
        # Integers count exactly, and doubles hold scores of any precision without making new ties.
        rows = {
            "scores": (torch.float64, 0),
            "codes": (torch.int32, 0),
            "true_hois": (torch.int32, 1),
        }
        super().__init__(rows, image_order, **kwargs)
        self.vocabulary = hicodet() if vocabulary is None else vocabulary
        self.known_object = known_object
        self.prefix = prefix
        self.unseen = np.isin(np.arange(len(self.vocabulary.hois)), sorted(unseen))
        self._hoi_of = self.vocabulary.hoi_table().astype(np.int32)

    def update(
        self,
        detections: list[Detections],
        targets: list[Target],
        image_hois: list[frozenset] | None = None,
    ) -> None:
        """Match a batch.

        Args:
            detections: one item an image.
            targets: likewise. An image without pairs counts too.
            image_hois: the positive image-level labels of each image, for Known Object; if None, those of its pairs.

        Raises:
            ValueError: lists of different lengths, a NaN score, or a verb, object or HOI outside the vocabulary.
        """
        if len(detections) != len(targets) or (
            image_hois is not None and len(image_hois) != len(targets)
        ):
            raise ValueError(
                f"{len(detections)} detections for {len(targets)} targets: give one item an image"
            )
        if not targets:
            return
        found, pairs = (
            [len(item.scores) for item in detections],
            [len(item.hois) for item in targets],
        )
        verbs, objects = column(detections, "verbs"), column(detections, "objects")
        scores = column(detections, "scores")
        true_hois = column(targets, "hois")
        # As unsigned numbers negative ones are huge, so one comparison is enough.
        if len(verbs) and (
            verbs.astype(np.uint64).max() >= self._hoi_of.shape[1]
            or objects.astype(np.uint64).max() >= self._hoi_of.shape[0]
        ):
            raise ValueError(
                "detections hold a verb or object outside the vocabulary of the metric"
            )
        if np.isnan(scores.max(initial=0)):
            raise ValueError("detections hold NaN scores, which cannot be ranked")
        if true_hois.max(initial=-1) >= len(self.vocabulary.hois):
            raise ValueError("targets hold a HOI outside the vocabulary of the metric")

        numbers = np.arange(len(targets), dtype=np.int32)
        images, hois = np.repeat(numbers, found), self._hoi_of[objects, verbs]
        table = PairTable(
            images, column(detections, "boxes_h"), column(detections, "boxes_o"), hois
        )
        truth = PairTable(
            np.repeat(numbers, pairs),
            column(targets, "boxes_h"),
            column(targets, "boxes_o"),
            true_hois,
        )
        if true_hois.min(initial=0) < 0:  # an empty role is no pair
            truth = PairTable(*(values[true_hois >= 0] for values in truth))
            pairs, true_hois = np.bincount(truth.images, minlength=len(targets)), truth.hois
        true, _ = match_pairs(truth, table, scores, len(targets), len(self.vocabulary.hois))
        codes = hois * np.int32(4) + true
        if self.known_object:
            if image_hois is None:
                image_hois = [[hoi for hoi in item.hois.tolist() if hoi >= 0] for item in targets]
            codes += known_object_rows(images, objects, image_hois, self.vocabulary) * np.int32(2)
        keep = hois >= 0
        if not keep.all():
            scores, codes, found = (
                scores[keep],
                codes[keep],
                np.bincount(images[keep], minlength=len(targets)),
            )
        ids = [int(item.image_id) for item in targets]
        self.keep(ids, [found, pairs], scores=scores, codes=codes, true_hois=true_hois)

    def compute(self) -> dict[str, Tensor]:
        """`map_full`, `map_rare`, `map_non_rare`, and with the prefix `known_object_` the same, in [0, 1].

        With `unseen` also `map_unseen` and `map_seen`.

        NaN where the vocabulary has no such class. `per_class` tells the rest.
        """
        self._results = self.results()
        out = {}
        for setting, result in self._results.items():
            start = self.prefix + ("" if setting == "default" else f"{setting}_")
            for name in ("full", "rare", "non_rare"):
                out[f"{start}map_{name}"] = self.tensor(np.array(getattr(result, name)))
            if self.unseen.any():
                for name, classes in (("unseen", self.unseen), ("seen", ~self.unseen)):
                    out[f"{start}map_{name}"] = self.tensor(
                        result.ap[classes].mean() if classes.any() else np.array(np.nan)
                    )
        return out

    def per_class(self) -> dict[str, Tensor]:
        """`ap`, `recall`, `positives` and `detections` of each class, (C,), with `known_object_` the same.

        Of all processes, so all of them must call it, unless `compute` has run since the last update.
        """
        self.compute()
        out = {}
        for setting, result in self._results.items():
            start = "" if setting == "default" else f"{setting}_"
            for name in ("ap", "recall", "positives", "detections"):
                out[start + name] = self.tensor(getattr(result, name))
        return out

    def results(self) -> dict[str, HICODetResult]:
        """What `score_settings` returns, for the images of this process."""
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
