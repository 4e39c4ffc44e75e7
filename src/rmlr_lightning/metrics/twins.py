"""Accuracy on twins: pairs at the same boxes in two images, with different verbs.

A model that only sees boxes and object classes is right half of the time.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.base import TableRow
from rmlr_lightning.ops.boxes import paired_iou
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary


class Twin(NamedTuple):
    """One side of a twin: the pair, its own verbs and those of its counterpart."""

    box_h: Tensor  # (4,) xyxy pixels
    box_o: Tensor
    object: int
    own: tuple[int, ...]  # verbs of this side only
    other: tuple[int, ...]  # verbs of the counterpart only


def twin_accuracy(
    world: str | None,
    vocabulary: Vocabulary,
    unseen: frozenset[int],
    split: str,
    splits: Sequence[str] = ("test",),
) -> "TwinAccuracy | None":
    """The metric of a split; None without a file, and on splits that are not listed.

    Args:
        world: `world.json` of the synthetic benchmark, or None.
        vocabulary: of the data.
        unseen: not used: twins are counted whatever training has shown.
        split: "val" or "test".
        splits: where to report it.

    Raises:
        UserError: see `read_twins`.
    """
    if world is None or split not in splits:
        return None
    return TwinAccuracy(read_twins(world, split, vocabulary))


def read_twins(path: str | Path, split: str, vocabulary: Vocabulary) -> dict[str, list[Twin]]:
    """Both sides of all twins of a split, by the file name of their image.

    Args:
        path: `world.json` of the synthetic benchmark.
        split: "train", "val" or "test".
        vocabulary: of the data.

    Raises:
        UserError: the file is missing, of another form, or has verbs that the vocabulary lacks.
    """
    index = {verb: number for number, verb in enumerate(vocabulary.verbs)}
    twins: dict[str, list[Twin]] = {}
    try:
        world = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = [row for row in world["twins"] if row["split"] == split]
        unknown = {verb for row in rows for verb in (*row["verbs_a"], *row["verbs_b"])}
        unknown -= index.keys()
        for row in rows if not unknown else ():
            for image, twin in _sides(row, index, vocabulary.objects):
                twins.setdefault(image, []).append(twin)
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file; it comes with the synthetic benchmark, which "
            "`rmlr-prepare synthetic` makes"
        ) from error
    # what a value of another type raises depends on where it stands
    except (ValueError, LookupError, TypeError, RuntimeError, OSError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise UserError(
            f"{path}: not a world.json of the synthetic benchmark ({reason})"
        ) from error
    if unknown:
        names = ", ".join(sorted(map(repr, unknown)))[:200]
        raise UserError(f"{path}: twins have verbs that the data do not ({names})")
    return twins


def _sides(
    row: dict[str, Any], index: dict[str, int], objects: Sequence[str]
) -> list[tuple[str, Twin]]:
    """A line of the file as two twins with the names of their images."""
    a, b = set(row["verbs_a"]), set(row["verbs_b"])
    own_a = tuple(sorted(index[verb] for verb in a - b))
    own_b = tuple(sorted(index[verb] for verb in b - a))
    # If one side's verbs contain the other's, no verb decides for the other: left out.
    if not own_a or not own_b:
        return []
    pair = (_box(row["box_h"]), _box(row["box_o"]), objects.index(row["object"]))
    return [
        (row["image_a"], Twin(*pair, own_a, own_b)),
        (row["image_b"], Twin(*pair, own_b, own_a)),
    ]


def _box(corners: Any) -> Tensor:
    box = torch.tensor(corners).float()
    if box.shape != (4,) or not box.isfinite().all():
        raise ValueError("a box that is not four numbers")
    return box


class TwinAccuracy(Metric):
    """Share of twins whose own verbs score above their counterpart's, among those that were found.

    A twin is found if a detected pair of its object class overlaps it (IoU of both boxes >= 0.5).
    At the pair that overlaps most, the best score of its own verbs is compared with the best score
    of the counterpart's verbs. A tie counts half. Chance is 0.5.

    Args:
        twins: by file name, from `read_twins`.
    """

    table = (TableRow("Twins", {"accuracy": "twin_accuracy"}),)
    full_state_update = False
    higher_is_better = True

    def __init__(self, twins: dict[str, list[Twin]]) -> None:
        super().__init__()
        self.twins = twins
        for name in ("right", "matched", "total"):
            self.add_state(name, torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, found: Sequence[Detections], targets: Sequence[Target]) -> None:
        """Add a batch, one item per image. Images without twins are skipped."""
        for detections, target in zip(found, targets, strict=True):
            for twin in self.twins.get(target.file_name, ()):
                self.total += 1
                verdict = _judge(twin, detections)
                if verdict is not None:
                    self.matched += 1
                    self.right += verdict

    def compute(self) -> dict[str, Tensor]:
        """`twin_accuracy`, and `twins_found`: the share of twins with a detected pair.

        NaN where there are none.
        """
        return {
            "twin_accuracy": self.right / self.matched,
            "twins_found": self.matched / self.total,
        }


def _judge(twin: Twin, detections: Detections) -> float | None:
    """1 if right, 0.5 if undecided, 0 if wrong; None where the pair was not found."""
    iou_h = paired_iou(detections.boxes_h, twin.box_h)
    iou_o = paired_iou(detections.boxes_o, twin.box_o)
    overlap = torch.where(detections.objects == twin.object, torch.minimum(iou_h, iou_o), 0.0)
    if not len(overlap) or overlap.max() < 0.5:
        return None

    # All rows of the pair that overlaps most: one row per verb.
    here = overlap == overlap.max()
    own = _best_score(detections, here, twin.own)
    other = _best_score(detections, here, twin.other)
    if own == other:
        return 0.5
    return 1.0 if own > other else 0.0


def _best_score(detections: Detections, here: Tensor, verbs: tuple[int, ...]) -> float:
    scores = detections.scores[here & torch.isin(detections.verbs, torch.tensor(verbs))]
    return float(scores.max()) if len(scores) else 0.0
