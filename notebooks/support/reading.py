"""One pass over a data set: tokens of its annotated pairs, and the detector's AP."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset
from torchmetrics.detection import MeanAveragePrecision

from rmlr_lightning.data.collate import collate
from rmlr_lightning.data.truth import truth_of
from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.ops.boxes import to_pixels
from rmlr_lightning.ops.object_classes import class_index, with_object_classes
from rmlr_lightning.types import Batch, Scene, Target, Truth
from rmlr_lightning.vocabulary import COCO_OBJECTS
from support.tokens import Tokens, stack

Reader = Callable[[Batch, Sequence[Truth]], Mapping[str, list[Tokens]]]


class Reading(NamedTuple):
    """Annotations per image, and by name the tokens of all annotated pairs, image after image."""

    truths: list[Truth]
    targets: list[Target]
    tokens: dict[str, Tokens]

    def verbs(self) -> torch.Tensor:
        """True verbs of each pair, (P, V)."""
        return torch.cat([truth.verbs for truth in self.truths])

    def objects(self) -> list[int]:
        """COCO index of each pair's object."""
        return torch.cat([truth.objects for truth in self.truths]).tolist()


def in_coco_classes(scene: Scene, detector: Detector) -> Scene:
    """A detector's scene with COCO's object classes in place of the detector's own."""
    index = class_index(detector.objects, COCO_OBJECTS)
    return scene._replace(entities=with_object_classes(scene.entities, index))


@torch.no_grad()
def read_split(
    dataset: Dataset,
    reader: Reader,
    num_verbs: int,
    indices: Sequence[int] | None = None,
    batch_size: int = 16,
) -> Reading:
    """All annotated pairs of a data set, with the tokens that `reader` returns for each batch.

    Args:
        dataset: not augmented.
        reader: (batch, annotated pairs of its images) -> tokens by name.
        num_verbs: V.
        indices: images to read; None reads all.
        batch_size: images per batch.
    """
    indices = range(len(dataset)) if indices is None else indices
    truths, targets, parts = [], [], defaultdict(list)
    for start in range(0, len(indices), batch_size):
        batch = collate([dataset[index] for index in indices[start : start + batch_size]])
        batch_targets = [dataset.target(image_id) for image_id in batch.image_ids]
        batch_truths = [truth_of(target, target.size, num_verbs) for target in batch_targets]
        for name, tokens in reader(batch, batch_truths).items():
            parts[name] += tokens
        truths += batch_truths
        targets += batch_targets
    return Reading(truths, targets, {name: stack(tokens) for name, tokens in parts.items()})


@torch.no_grad()
def box_ap50(detector: Detector, dataset: Dataset, batch_size: int = 16) -> float:
    """AP of a detector at IoU 0.5, mean over classes, on a data set of `BoxTarget`s."""
    metric = MeanAveragePrecision(iou_thresholds=[0.5])
    metric.warn_on_many_detections = False
    for start in range(0, len(dataset), batch_size):
        indices = range(start, min(start + batch_size, len(dataset)))
        batch = collate([dataset[index] for index in indices])
        entities = in_coco_classes(detector(batch.inputs.images), detector).entities
        for image, target in enumerate(batch.boxes):
            known = entities.mask[image]
            found = {
                "boxes": entities.boxes[image, known] * to_pixels(target.size),
                "scores": entities.scores[image, known],
                "labels": entities.labels[image, known],
            }
            true = {"boxes": target.boxes, "labels": target.labels, "iscrowd": target.crowd.long()}
            metric.update([found], [true])
    return float(metric.compute()["map_50"])
