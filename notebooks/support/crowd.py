"""Metrics of a trained model for the same interacting pairs in crowds of different sizes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from rmlr_lightning.data.truth import collate_truths, truth_of
from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.matching import match_pairs, select_positives
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.selection import gather_entities, select
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Positives, Prediction, Scene, Target
from rmlr_lightning.vocabulary import NO_INTERACTION, Vocabulary
from support.agreement import Agreement, agreement, classifier_agreement
from support.mosaic import (
    batch_scenes,
    grid_of,
    mosaic,
    mosaic_target,
    one_cell_at_a_time,
    own_pairs,
    place,
)

NO_LIMIT = 10_000  # entities and pairs; the default of 15 people and 15 objects would cut a crowd
TILES_PER_BATCH = 30


class Supervision(NamedTuple):
    """True verbs of the candidate pairs, `no_interaction` left out."""

    verbs: Bool[Tensor, "B P V"]
    positives: Positives


def crowds(count: int, tiles: int, seed: int = 0) -> list[list[int]]:
    """Indices of tiles, dealt out to crowds of `count`; a rest is left out.

    The order depends on the seed alone, so every `count` that divides `tiles` has the same tiles.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(tiles, generator=generator).tolist()
    return [order[start : start + count] for start in range(0, tiles - count + 1, count)]


def batches(crowds: list[list[int]], size: int) -> list[list[list[int]]]:
    """The crowds in batches of `size`, at least 1."""
    size = max(1, size)
    return [crowds[start : start + size] for start in range(0, len(crowds), size)]


def predict(model: HOIModel, scene: Scene, features: Tensor | None = None) -> Prediction:
    """The model from Scenes to logits, without a limit on the number of entities.

    Args:
        model: in evaluation mode.
        scene: before selection.
        features: the re-mined map, if it was computed before.
    """
    if features is None:
        features = model.remine(scene, None)
    selected = select(scene.entities, model.selection._replace(max_instances=NO_LIMIT))
    scene = scene._replace(entities=gather_entities(scene.entities, selected))
    pairs = pair(scene.entities, model.valid_pairs)
    return Prediction(scene, pairs, *model.reason(scene, pairs, features))


def with_true_boxes(
    task: HOITask,
    alignments: Mapping[str, Alignment],
    scenes: Sequence[Scene],
    targets: Sequence[Target],
    count: int,
) -> dict[str, float]:
    """Metrics of single scenes with true boxes (`mosaic.true_boxes`), in crowds of `count`.

    Returns:
        Values by "presence/metric". Presence is "crowd" (all cells at once), "alone" (the same
        large images with the entities of one cell at a time) or "own" (the crowd, without pairs
        across cells). Metrics are "map", over the interacting HOI classes that occur;
        "recognised", how often the classifier's best verb is true; and per alignment "NAME/true",
        "NAME/rival" (cosines), "NAME/right" and "NAME/chance".
    """
    maps = {
        name: HICODetMeanAP(task.vocabulary, known_object=False)
        for name in ("crowd", "own", "alone")
    }
    agreements: dict[str, list[Agreement]] = defaultdict(list)
    grid = grid_of(count)
    all_batches = batches(crowds(count, len(scenes)), TILES_PER_BATCH // count)
    for number, members_of_crowd in enumerate(all_batches):
        scene = batch_scenes(
            [mosaic([scenes[tile] for tile in members], grid) for members in members_of_crowd]
        )

        # ids of the images only have to differ
        first_id = number * max(TILES_PER_BATCH, count)
        crowd_targets, cell_targets = [], []
        for position, members in enumerate(members_of_crowd):
            image_id = first_id + position * count
            crowd_targets.append(mosaic_target([targets[tile] for tile in members], grid, image_id))
            for cell, tile in enumerate(members):
                placed = place(targets[tile], cell, grid)
                cell_targets.append(placed._replace(image_id=image_id + cell))

        with torch.inference_mode():
            features = task.model.remine(scene, None)
            crowd = predict(task.model, scene, features)
            isolated = predict(
                task.model,
                one_cell_at_a_time(scene, grid),
                features.repeat_interleave(count, 0),
            )
            maps["own"].update(task.detect(own_pairs(crowd, grid)), crowd_targets)
            for presence, prediction, truth in (
                ("crowd", crowd, crowd_targets),
                ("alone", isolated, cell_targets),
            ):
                maps[presence].update(task.detect(prediction), truth)
                supervision = supervise(prediction, truth, task.vocabulary)
                agreements[f"{presence}/recognised"].append(
                    classifier_agreement(prediction, supervision.verbs, task.model.valid_pairs)
                )
                for name, loss in alignments.items():
                    agreements[f"{presence}/{name}"].append(
                        agreement(loss, prediction, supervision.positives)
                    )

    metrics = {f"{name}/map": mean_ap(metric, task.vocabulary) for name, metric in maps.items()}
    for name, parts in agreements.items():
        if name.endswith("recognised"):
            metrics[name] = mean(parts, "right")
            continue
        for field in Agreement._fields:
            metrics[f"{name}/{field}"] = mean(parts, field)
    return metrics


def with_detector(task: HOITask, crowd_scenes: Iterable[tuple[Scene, Target]]) -> float:
    """mAP with detected boxes, over the interacting HOI classes that occur.

    Args:
        task: in evaluation mode.
        crowd_scenes: `tiled_scenes`, or detector outputs of `tiled_images`.
    """
    metric = HICODetMeanAP(task.vocabulary, known_object=False)
    with torch.inference_mode():
        for scene, target in crowd_scenes:
            metric.update(task.detect(predict(task.model, scene)), [target])
    return mean_ap(metric, task.vocabulary)


def tiled_scenes(
    scenes: Sequence[Scene], targets: Sequence[Target], count: int
) -> Iterator[tuple[Scene, Target]]:
    """Crowds whose scenes the detector has processed one by one."""
    grid = grid_of(count)
    for number, members in enumerate(crowds(count, len(scenes))):
        scene = mosaic([scenes[tile] for tile in members], grid)
        yield scene, mosaic_target([targets[tile] for tile in members], grid, number)


def tiled_images(
    pixels: Sequence[Tensor], targets: Sequence[Target], count: int
) -> Iterator[tuple[Tensor, Target]]:
    """Crowds as images (3, H, W), for the detector to process as a whole."""
    grid = grid_of(count)
    for number, members in enumerate(crowds(count, len(pixels))):
        rows = []
        for row in range(grid.rows):
            in_row = members[row * grid.columns : (row + 1) * grid.columns]
            rows.append(torch.cat([pixels[tile] for tile in in_row], 2))
        yield torch.cat(rows, 1), mosaic_target([targets[tile] for tile in members], grid, number)


def supervise(
    prediction: Prediction, targets: Sequence[Target], vocabulary: Vocabulary
) -> Supervision:
    """True verbs of all candidate pairs, and the interacting pairs with their phrases."""
    truth = collate_truths(
        [truth_of(target, target.size, len(vocabulary.verbs)) for target in targets]
    )
    verbs = match_pairs(prediction.scene.entities, prediction.pairs, truth)
    if NO_INTERACTION in vocabulary.verbs:
        verbs[..., vocabulary.verbs.index(NO_INTERACTION)] = False
    phrase_verbs, phrase_objects = torch.tensor(vocabulary.hois).unbind(1)
    positives = select_positives(verbs, prediction.pairs, phrase_verbs, phrase_objects, NO_LIMIT)
    return Supervision(verbs, positives)


def mean_ap(metric: HICODetMeanAP, vocabulary: Vocabulary) -> float:
    """Mean over the HOI classes that occur, `no_interaction` left out; NaN without any."""
    by_class = metric.per_class()
    interacting = np.array(
        [vocabulary.verbs[verb] != NO_INTERACTION for verb, _ in vocabulary.hois]
    )
    keep = interacting & (by_class["positives"].numpy() > 0)
    return float(by_class["ap"].numpy()[keep].mean()) if keep.any() else float("nan")


def mean(parts: Sequence[Agreement], field: str) -> float:
    """Mean of one field over the pairs of all parts."""
    return float(torch.cat([getattr(part, field).double() for part in parts]).mean())
