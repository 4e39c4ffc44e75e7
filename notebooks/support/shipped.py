"""The model that ships with the package on the synthetic benchmark: nothing is trained."""

from collections.abc import Sequence

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from rmlr_lightning.data.collate import collate
from rmlr_lightning.drawing.triplets import draw_triplets
from rmlr_lightning.metrics.hicodet import PairTable, match_annotations
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.features import open_features
from rmlr_lightning.runs.framework_messages import silence_framework_messages
from rmlr_lightning.scoring.error_types import TYPES, missed_annotations
from rmlr_lightning.scoring.export import pair_columns
from rmlr_lightning.scoring.matched import in_order
from rmlr_lightning.scoring.record import truth_table
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary
from support.notebook_runs import SMALL, TINY, paths, silent

Results = Sequence[tuple[Target, Detections]]  # annotations and detections of each image


def benchmark(model: HOIModel, vocabulary: Vocabulary) -> tuple[Dataset, list[Target]]:
    """The test split of the synthetic benchmark with cached Scenes, and the training annotations.

    Both in the classes of the model. At the small size a tiny benchmark is drawn.
    """
    silence_framework_messages()
    overrides = [f"paths.{name}='{path}'" for name, path in paths().items()]
    if SMALL:
        overrides += TINY
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose("train", overrides)
    datamodule = instantiate(config.data)
    with silent():
        datamodule.prepare_data()
        datamodule.open(["train", "test"], vocabulary)
        open_features(config.features, datamodule, model, ["test"])
    return datamodule.dataset("test"), datamodule.uncached_dataset("train").targets


@torch.inference_mode()
def predict(model: HOIModel, data: Dataset, batch_size: int = 32) -> Results:
    """All detections of each image of a data set, with its annotations."""
    out = []
    for batch in DataLoader(data, batch_size, collate_fn=collate):
        found = model.detect(model(batch.inputs))
        out += [(data.target(key), one) for key, one in zip(batch.image_ids, found, strict=True)]
    return out


def missed_by_image(results: Results, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """For each type of error the annotations of each image that are missed by it.

    Of an image with N annotated interactions the N best detections count: a perfect model misses
    none. Types: `scoring.error_types`.
    """
    best = [Detections(*(field[: len(t.hois)] for field in found)) for t, found in results]
    columns = pair_columns([target.file_name for target, _ in results], best)
    hois = vocabulary.hoi_table()[columns["objects"], columns["verbs"]].astype(np.int32)
    table = PairTable(columns["image"], columns["boxes_h"], columns["boxes_o"], hois)
    rows, scores = in_order(table, columns["scores"])

    truth = truth_table([target for target, _ in results])
    images, classes = len(results), len(vocabulary.hois)
    true, annotation = match_annotations(truth, rows, scores, images, classes)
    objects = np.array([obj for _, obj in vocabulary.hois])
    missed, types = missed_annotations(truth, rows, annotation[true], objects, images)
    return {
        name: np.bincount(truth.images[missed[types == place]], minlength=images)
        for place, name in enumerate(TYPES)
        if name != "duplicate"  # a detection can be one, an annotation not
    }


def worst(missed: dict[str, np.ndarray], number: int) -> dict[str, list[int]]:
    """For each type the images that miss most by it, each image for one type only."""
    taken: set[int] = set()
    out: dict[str, list[int]] = {}
    for name, counts in missed.items():
        order = np.argsort(-counts, kind="stable").tolist()
        out[name] = [image for image in order if counts[image] and image not in taken][:number]
        taken.update(out[name])
    return out


def beside_truth(
    data: Dataset, target: Target, found: Detections, vocabulary: Vocabulary, shown: int = 3
) -> Image.Image:
    """An image twice: left its annotated pairs, right as many detections as it has, or `shown`."""
    count = max(shown, len(target.hois))
    annotated = Detections(
        target.boxes_h.float(),
        target.boxes_o.float(),
        target.objects,
        target.verbs,
        torch.ones(len(target.verbs)),
    )
    best = Detections(*(field[:count] for field in found))
    image = data.image(target.file_name)
    sides = [
        draw_triplets(image, rows, vocabulary, score_threshold=0.0, max_pairs=count, width=600)
        for rows in (annotated, best)
    ]
    sheet = Image.new("RGB", (2 * sides[0].width + 10, sides[0].height), "white")
    sheet.paste(sides[0], (0, 0))
    sheet.paste(sides[1], (sides[0].width + 10, 0))
    return sheet


def mean_interval(values: np.ndarray, draws: int = 1000) -> tuple[float, float, float]:
    """The mean over images, and the ends of its 95 % interval by bootstrap."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (draws, len(values))).mean(1)
    return float(np.mean(values)), *(float(end) for end in np.percentile(means, [2.5, 97.5]))
