"""What company does to a trained model: AP, and agreement with the phrases, of the same pairs in crowds of a size."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.matching import match_pairs
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.selection import select
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Prediction, Scene, Target
from rmlr_lightning.vocabulary import NO_INTERACTION, Vocabulary
from support.agreement import Agreement, agreement, recognised
from support.mosaic import (
    Grid,
    grid_of,
    mosaic,
    mosaic_target,
    one_at_a_time,
    own_pairs,
    place,
    together,
)

EVERYBODY = (
    10_000  # entities a crowd may have; the shipped 15 people and 15 objects would cut it off
)
TILES = 30  # scenes a batch, about


def crowds(count: int, tiles: int, seed: int = 0) -> list[list[int]]:
    """Tiles dealt out to crowds of `count`, in an order that depends on the seed alone; the rest is left out.

    Numbers of tiles that all sizes divide give every size the same scenes.
    """
    order = torch.randperm(tiles, generator=torch.Generator().manual_seed(seed)).tolist()
    return [order[start : start + count] for start in range(0, tiles - count + 1, count)]


def batches(crowds: list[list[int]], size: int) -> list[list[list[int]]]:
    """So many crowds at a time, at least one."""
    size = max(1, size)
    return [crowds[start : start + size] for start in range(0, len(crowds), size)]


def read(model: HOIModel, scene: Scene, features: Tensor | None = None) -> Prediction:
    """The model on Scenes of any size, from entities to logits; `features` are the re-mined map, if it is there."""
    features = model.remine(scene, None) if features is None else features
    scene = select(scene, model.selection._replace(max_instances=EVERYBODY))
    pairs = pair(scene.entities, model.allowed)
    return Prediction(scene, pairs, *model.reason(scene, pairs, features))


def with_true_boxes(
    task: HOITask,
    alignments: Mapping[str, Alignment],
    scenes: Sequence[Scene],
    targets: Sequence[Target],
    count: int,
) -> dict[str, float]:
    """Figures of single scenes with true boxes (`mosaic.true_boxes`), in crowds of `count`.

    Returns:
        By "company/what". Company: "crowd", everybody there; "alone", the same pictures with one cell's entities at a
        time. What: "map", over the interacting HOI classes that occur; "recognised", how often the classifier's first
        verb is true; and for each alignment "NAME/true", "NAME/rival" (cosines) and "NAME/right". "own/map": of the
        crowd, without pairs across cells.
    """
    maps = {
        name: HICODetMeanAP(task.vocabulary, known_object=False)
        for name in ("crowd", "own", "alone")
    }
    found: dict[str, list[Agreement]] = defaultdict(list)
    grid = grid_of(count)
    for number, dealt in enumerate(batches(crowds(count, len(scenes)), TILES // count)):
        crowd = together([mosaic([scenes[i] for i in members], grid) for members in dealt])
        first = number * max(TILES, count)  # ids of images; they only have to differ
        whole = [
            mosaic_target([targets[i] for i in m], grid, first + k * count)
            for k, m in enumerate(dealt)
        ]
        single = [
            place(targets[i], cell, grid)._replace(image_id=first + k * count + cell)
            for k, members in enumerate(dealt)
            for cell, i in enumerate(members)
        ]
        with torch.inference_mode():
            features = task.model.remine(crowd, None)
            prediction = read(task.model, crowd, features)
            maps["own"].update(task.detect(own_pairs(prediction, grid)), whole)
            alone = read(
                task.model, one_at_a_time(crowd, grid), features.repeat_interleave(count, 0)
            )
            for company, seen, truth in (("crowd", prediction, whole), ("alone", alone, single)):
                maps[company].update(task.detect(seen), truth)
                labels = interacting(seen, truth, task.vocabulary)
                found[f"{company}/recognised"].append(recognised(seen, labels, task.model.allowed))
                for name, loss in alignments.items():
                    found[f"{company}/{name}"].append(agreement(loss, seen, labels))
    figures = {f"{name}/map": mean_ap(metric, task.vocabulary) for name, metric in maps.items()}
    for name, parts in found.items():
        if name.endswith("recognised"):
            figures[name] = mean(parts, "right")
        else:
            figures |= {
                f"{name}/{what}": mean(parts, what) for what in ("true", "rival", "right", "chance")
            }
    return figures


def with_detector(task: HOITask, crowd_scenes: Iterable[tuple[Scene, Target]]) -> float:
    """mAP with the detector's boxes, over the interacting HOI classes that occur.

    Args:
        crowd_scenes: `side_by_side`, or what the detector says about `pictures_side_by_side`.
    """
    metric = HICODetMeanAP(task.vocabulary, known_object=False)
    with torch.inference_mode():
        for scene, target in crowd_scenes:
            metric.update(task.detect(read(task.model, scene)), [target])
    return mean_ap(metric, task.vocabulary)


def side_by_side(
    scenes: Sequence[Scene], targets: Sequence[Target], count: int
) -> Iterator[tuple[Scene, Target]]:
    """Crowds whose scenes the detector saw one by one."""
    grid = grid_of(count)
    for number, members in enumerate(crowds(count, len(scenes))):
        yield (
            mosaic([scenes[i] for i in members], grid),
            mosaic_target([targets[i] for i in members], grid, number),
        )


def pictures_side_by_side(
    pixels: Sequence[Tensor], targets: Sequence[Target], count: int
) -> Iterator[tuple[Tensor, Target]]:
    """Crowds as pictures (3, H, W), to be shown to the detector as a whole."""
    grid: Grid = grid_of(count)
    for number, members in enumerate(crowds(count, len(pixels))):
        rows = [
            torch.cat([pixels[i] for i in members[r * grid.columns : (r + 1) * grid.columns]], 2)
            for r in range(grid.rows)
        ]
        yield torch.cat(rows, 1), mosaic_target([targets[i] for i in members], grid, number)


def interacting(prediction: Prediction, targets: list[Target], vocabulary: Vocabulary) -> Tensor:
    """Which pairs show which verbs, but for doing nothing."""
    labels = match_pairs(
        prediction.scene.entities, prediction.pairs, targets, len(vocabulary.verbs)
    )
    if NO_INTERACTION in vocabulary.verbs:
        labels[..., vocabulary.verbs.index(NO_INTERACTION)] = False
    return labels


def mean_ap(metric: HICODetMeanAP, vocabulary: Vocabulary) -> float:
    """Over the classes that have truth and are interactions; NaN without any."""
    by_class = metric.per_class()
    doing = np.array([vocabulary.verbs[verb] != NO_INTERACTION for verb, _ in vocabulary.hois])
    keep = doing & (by_class["positives"].numpy() > 0)
    return float(by_class["ap"].numpy()[keep].mean()) if keep.any() else float("nan")


def mean(parts: Sequence[Agreement], what: str) -> float:
    """Of one column, over the pairs of all parts."""
    return float(torch.cat([getattr(part, what).double() for part in parts]).mean())
