"""The results of a test in Weights & Biases: tables, curves, images, and the checkpoint."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import WandbLogger

from rmlr_lightning.callbacks.test_record import KeepTestRecord
from rmlr_lightning.callbacks.wandb_images import BoxedPair, wandb_image
from rmlr_lightning.metrics.average_precision import RECALL_LEVELS
from rmlr_lightning.scoring.precision_recall import precision_at_levels
from rmlr_lightning.scoring.record import TestRecord

FREQUENT = 8  # classes with a precision-recall curve of their own
MATRICES = 5  # objects with a confusion matrix of their own


class WandbResults(Callback):
    """Logs the record of the test, where Weights & Biases is among the loggers.

    - `per_class/test`: AP, annotated and detected pairs of each class;
    - `per_class/precision_recall`: means, and the classes with the most pairs;
    - `errors/test`, `breakdown/NAME`, `confusion/verbs` as tables;
    - `confusion/1_OBJECT` and so on: a matrix of the verbs of each object with the most pairs;
    - `images/test`: the best and worst images, detected and annotated pairs side by side;
    - `attention/words`: which words the tokens of a pair attend to.

    Args:
        checkpoint: also keep the best checkpoint as an artifact. Its scene caches are its inputs;
            offline, when inputs cannot be recorded, they are named in its metadata.
    """

    def __init__(self, checkpoint: bool = False) -> None:
        self.checkpoint = checkpoint

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        logger = _wandb_logger(trainer)
        keeper = next((c for c in trainer.callbacks if isinstance(c, KeepTestRecord)), None)
        if logger is None or keeper is None or keeper.record is None:
            return
        values = results(keeper.record, keeper.thumbnails)
        logger.log_metrics(values, step=trainer.global_step)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        logger = _wandb_logger(trainer)
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if self.checkpoint and logger is not None and best:
            _keep_checkpoint(logger.experiment, Path(best), trainer, pl_module)


def results(record: TestRecord, thumbnails: dict[str, bytes]) -> dict[str, Any]:
    """What is logged of a record, by name."""
    import wandb

    vocabulary, matched = record.vocabulary, record.matched["default"]
    ap, positives = matched.ap(), matched.positives
    # words and units are those of the page that rmlr-report makes
    verbs = [_words(verb) for verb in vocabulary.verbs]
    found = {
        "per_class/test": wandb.Table(
            columns=["class", "rare", "AP %", "annotated", "detected"],
            data=[
                [
                    name,
                    hoi in vocabulary.rare,
                    100 * float(ap[hoi]),
                    int(positives[hoi]),
                    int(count),
                ]
                for hoi, (name, count) in enumerate(zip(matched.names, record.counts, strict=True))
            ],
        ),
        "per_class/precision_recall": _precision_recall(record),
        "errors/test": wandb.Table(
            columns=["type", "cost, mAP %", "false detections", "missed pairs"],
            data=[
                [_words(name), 100 * e["cost"], e["false_positives"], e["missed"]]
                for name, e in record.facts["errors"].items()
            ],
        ),
        "confusion/verbs": wandb.Table(
            columns=["object", "annotated verb", "best verb", "pairs"],
            data=[
                [vocabulary.objects[o], verbs[a], verbs[b], int(count)]
                for (o, a, b), count in _counts(record.confusion)
            ],
        ),
        "images/test": _images(record, thumbnails),
        **_matrices(record),
    }
    for name, rows in record.facts["breakdown"].items():
        found[f"breakdown/{name}"] = wandb.Table(
            columns=["group", "mAP %", "classes", "annotated", "detected"],
            data=[
                [
                    _words(r["name"]),
                    100 * r["ap"],
                    r["classes"],
                    r["positives"],
                    r["detections"],
                ]
                for r in rows
            ],
        )
    if record.facts.get("attention"):
        found["attention/words"] = _attention(record, thumbnails)
    return found


def _words(name: str) -> str:
    return name.replace("_", " ")


def _precision_recall(record: TestRecord) -> Any:
    import wandb

    matched = record.matched["default"]
    levels = precision_at_levels(matched)
    lines = {
        name: levels[members].mean(axis=0)
        for name, members in matched.means.items()
        if members.any()
    }
    # Curves of all classes would not be read.
    for hoi in np.argsort(-matched.positives, kind="stable")[:FREQUENT].tolist():
        lines[matched.names[hoi]] = levels[hoi]
    return wandb.plot.line_series(
        xs=RECALL_LEVELS.tolist(),
        ys=[line.tolist() for line in lines.values()],
        keys=list(lines),
        title="precision at recall (mean over the levels: AP)",
        xname="recall",
    )


def _counts(confusion: np.ndarray) -> list[tuple[tuple[int, ...], int]]:
    places = np.argwhere(confusion).tolist()
    return [(tuple(place), confusion[tuple(place)]) for place in places]


def _matrices(record: TestRecord) -> dict[str, Any]:
    """Annotated and best verbs of the objects with the most pairs."""
    import wandb

    vocabulary, found = record.vocabulary, {}
    pairs = record.confusion.sum(axis=(1, 2))
    for obj in np.argsort(-pairs, kind="stable").tolist():
        counts = record.confusion[obj]
        verbs = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
        if len(verbs) < 2 or len(found) == MATRICES:
            continue
        annotated, best = np.indices((len(verbs), len(verbs))).reshape(2, -1)
        times = counts[np.ix_(verbs, verbs)].ravel()
        name = vocabulary.objects[obj]
        # a file is called so, too
        key = f"confusion/{len(found) + 1}_{re.sub(r'[^A-Za-z0-9]+', '_', name)}"
        found[key] = wandb.plot.confusion_matrix(
            y_true=np.repeat(annotated, times).tolist(),
            preds=np.repeat(best, times).tolist(),
            class_names=[_words(vocabulary.verbs[verb]) for verb in verbs],
            title=f"{_words(name)}: annotated verb, best verb",
        )
    return found


def _images(record: TestRecord, thumbnails: dict[str, bytes]) -> Any:
    """One row per kept image, ordered by AP: detections and annotations beside each other."""
    import wandb

    place = {name: index for index, name in enumerate(record.file_names)}
    images = sorted((place[name] for name in thumbnails), key=lambda i: -record.image_ap[i])
    table = wandb.Table(columns=["image", "AP of the image, %", "detected", "annotated"])
    for image in images:
        name = record.file_names[image]
        opened = Image.open(io.BytesIO(thumbnails[name]))
        size = tuple(int(side) for side in record.sizes[image])
        rows = np.flatnonzero(record.best.table.images == image)
        detected = [_pair(record.best.table, row, float(record.best.scores[row])) for row in rows]
        truth = np.flatnonzero(record.truth.images == image)
        annotated = [_pair(record.truth, row) for row in truth]
        table.add_data(
            name,
            100 * float(record.image_ap[image]),
            wandb_image(opened, size, {"detected": detected}, record.vocabulary),
            wandb_image(opened, size, {"annotated": annotated}, record.vocabulary),
        )
    return table


def _pair(table: Any, row: int, score: float | None = None) -> BoxedPair:
    boxes = table.boxes_h[row].tolist(), table.boxes_o[row].tolist()
    return BoxedPair(int(table.hois[row]), *boxes, score)


def _attention(record: TestRecord, thumbnails: dict[str, bytes]) -> Any:
    """One row per word; the image shows the boxes of the pair."""
    import wandb

    table = wandb.Table(columns=["image", "phrases", "loss", "word", "weight %"])
    for row in record.facts["attention"]:
        phrases = "; ".join(row["phrases"])
        content = thumbnails.get(row["image"])
        image = None
        if content is not None:
            pairs = [BoxedPair(hoi, row["box_h"], row["box_o"]) for hoi in row["hois"]]
            opened = Image.open(io.BytesIO(content))
            # the boxes are relative to the image
            image = wandb_image(opened, (1, 1), {"annotated": pairs}, record.vocabulary, phrases)
        for loss, words in row["words"].items():
            for word, weight in words:
                table.add_data(image, phrases, loss, word, 100 * weight)
    return table


def _wandb_logger(trainer: Trainer) -> WandbLogger | None:
    if not trainer.is_global_zero:
        return None
    return next((lg for lg in trainer.loggers if isinstance(lg, WandbLogger)), None)


def _keep_checkpoint(run: Any, best: Path, trainer: Trainer, task: LightningModule) -> None:
    import wandb

    stores = getattr(trainer.datamodule.dataset("train"), "stores", ())
    caches = {store.key: str(store.path) for store in stores}
    metadata = {
        "scene_caches": caches,
        "commit": getattr(task, "commit", None),
        "epoch": trainer.current_epoch,
    }
    if not run.offline:
        for key, path in caches.items():
            # a reference: caches are large, and made again from the images
            cache = wandb.Artifact(f"scenes-{key}", "scene-cache")
            cache.add_reference(Path(path).resolve().as_uri(), checksum=False)
            run.use_artifact(cache)
    artifact = wandb.Artifact(f"checkpoint-{run.id}", "model", metadata=metadata)
    artifact.add_file(str(best), name="best.ckpt")
    run.log_artifact(artifact)
