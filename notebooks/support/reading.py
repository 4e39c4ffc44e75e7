"""Going through a data set once, reading tokens of its true pairs and asking how well boxes are found."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset
from torchmetrics.detection import MeanAveragePrecision

from rmlr_lightning.data.collate import collate
from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.types import Batch, Target
from support.tokens import Tokens, TruePairs, stack, true_pairs

Reader = Callable[[Batch, Sequence[TruePairs]], Mapping[str, list[Tokens]]]


class Reading(NamedTuple):
    """What was read: images, and for each name the tokens of all their true pairs, image after image."""

    pairs: list[TruePairs]
    targets: list[Target]
    tokens: dict[str, Tokens]

    def verbs(self) -> torch.Tensor:
        """(P, V), True where a pair shows a verb."""
        return torch.cat([true.verbs for true in self.pairs])

    def objects(self) -> list[int]:
        """COCO index of each pair's object."""
        return torch.cat([true.objects for true in self.pairs]).tolist()


@torch.no_grad()
def read_split(
    dataset: Dataset,
    reader: Reader,
    verbs: int,
    indices: Sequence[int] | None = None,
    batch_size: int = 16,
) -> Reading:
    """All true pairs of a data set's images (or of those at `indices`), with what `reader` reads of each batch."""
    indices = range(len(dataset)) if indices is None else indices
    pairs, targets, parts = [], [], defaultdict(list)
    for start in range(0, len(indices), batch_size):
        batch = collate([dataset[index] for index in indices[start : start + batch_size]])
        here = [true_pairs(target, verbs) for target in batch.targets]
        for name, tokens in reader(batch, here).items():
            parts[name] += tokens
        pairs += here
        targets += batch.targets
    return Reading(pairs, targets, {name: stack(tokens) for name, tokens in parts.items()})


@torch.no_grad()
def box_ap50(detector: Detector, dataset: Dataset, batch_size: int = 16) -> float:
    """AP at an IoU of .5, mean over classes, of a detector on a data set of `BoxTarget`s."""
    metric = MeanAveragePrecision(iou_thresholds=[0.5])
    metric.warn_on_many_detections = False
    for start in range(0, len(dataset), batch_size):
        batch = collate(
            [dataset[index] for index in range(start, min(start + batch_size, len(dataset)))]
        )
        boxes, scores, labels, *_ = detector(batch.inputs.images).entities
        for image, target in enumerate(batch.targets):
            scale = target.size.flip(0).repeat(2)
            found = {
                "boxes": boxes[image] * scale,
                "scores": scores[image],
                "labels": labels[image],
            }
            true = {"boxes": target.boxes, "labels": target.labels, "iscrowd": target.crowd.long()}
            metric.update([found], [true])
    return float(metric.compute()["map_50"])
