"""Twins: pairs at the same boxes in two pictures, doing different things. Boxes cannot tell them apart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.boxes import paired_iou
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import COCO_INDEX, Vocabulary


class Twin(NamedTuple):
    """One side of a twin: where the pair stands, what it does and what its counterpart does instead."""

    box_h: Tensor  # (4,) xyxy pixels
    box_o: Tensor
    object: int
    own: tuple[int, ...]  # verbs of this side only
    other: tuple[int, ...]  # verbs of the counterpart only


def read_twins(path: str | Path, split: str, vocabulary: Vocabulary) -> dict[str, list[Twin]]:
    """Both sides of all twins of a split, by the file name of their picture.

    The file is the embedded world's `world.json`.
    """
    try:
        rows = [
            row
            for row in json.loads(Path(path).read_text(encoding="utf-8"))["twins"]
            if row["split"] == split
        ]
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file; twins come with the embedded world (`rmlr-prepare synthetic`)"
        ) from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not a world.json of the embedded world ({type(error).__name__}: {error})"
        ) from error
    index = {verb: number for number, verb in enumerate(vocabulary.verbs)}
    twins: dict[str, list[Twin]] = {}
    for row in rows:
        a, b = set(row["verbs_a"]), set(row["verbs_b"])
        if not a | b <= index.keys():
            raise UserError(
                f"{path}: its twins have verbs that the data do not ({', '.join(sorted((a | b) - index.keys()))})"
            )
        for picture, own, other in ((row["image_a"], a - b, b - a), (row["image_b"], b - a, a - b)):
            sides = [tuple(sorted(index[verb] for verb in side)) for side in (own, other)]
            if all(sides):  # nested sets of verbs have no deciding verb on one side
                twin = Twin(
                    torch.tensor(row["box_h"]).float(),
                    torch.tensor(row["box_o"]).float(),
                    COCO_INDEX[row["object"]],
                    *sides,
                )
                twins.setdefault(picture, []).append(twin)
    return twins


class TwinAccuracy(Metric):
    """Share of twins whose own verbs score above their counterpart's, among those whose pair was found; chance is 1/2.

    Within a twin the best score of its own verbs is compared with the best of the other's, at the detected pair that
    overlaps the true one most (IoU of both boxes >= 0.5, right object class). A tie counts half. `found` is the share
    of twins with such a pair.
    """

    full_state_update = False
    higher_is_better = True

    def __init__(self, twins: dict[str, list[Twin]]) -> None:
        super().__init__()
        self.twins = twins
        for name in ("right", "found", "total"):
            self.add_state(name, torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, file_names: Sequence[str], found: Sequence[Detections]) -> None:
        """Detections of the named pictures; those without twins are passed over."""
        for name, detections in zip(file_names, found, strict=True):
            for twin in self.twins.get(name, ()):
                self.total += 1
                verdict = self._judge(twin, detections)
                if verdict is not None:
                    self.found += 1
                    self.right += verdict

    @staticmethod
    def _judge(twin: Twin, detections: Detections) -> float | None:
        overlap = torch.minimum(
            paired_iou(detections.boxes_h, twin.box_h), paired_iou(detections.boxes_o, twin.box_o)
        )
        overlap = torch.where(detections.objects == twin.object, overlap, 0.0)
        if not len(overlap) or overlap.max() < 0.5:
            return None
        here = overlap == overlap.max()
        own, other = (_best(detections, here, verbs) for verbs in (twin.own, twin.other))
        return 1.0 if own > other else 0.5 if own == other else 0.0

    def compute(self) -> dict[str, Tensor]:
        """`twin_accuracy` and `twins_found`, NaN without any."""
        return {"twin_accuracy": self.right / self.found, "twins_found": self.found / self.total}


def _best(detections: Detections, here: Tensor, verbs: tuple[int, ...]) -> float:
    score = detections.scores[here & torch.isin(detections.verbs, torch.tensor(verbs))]
    return float(score.max()) if len(score) else 0.0
