"""A whole HOI task in small, batches of random Scenes, and an epoch of training."""

from collections.abc import Sequence
from functools import partial

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from rmlr_lightning.losses.auxiliary import AuxiliaryVerbs
from rmlr_lightning.losses.focal import FocalLoss
from rmlr_lightning.losses.sentence import SentenceAlignment
from rmlr_lightning.losses.word import WordAlignment
from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.models.ire import IRE
from rmlr_lightning.models.irm import IRM
from rmlr_lightning.models.pair_features import PairFeatures
from rmlr_lightning.models.remine import Neck
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.ops.parts import images_of
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.types import Batch, Inputs, TextEmbeddings, Truth
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_scene
from tests.tiny_detectors import tiny_detector

VOCABULARY = hicodet()
LOSSES = {
    "interaction": FocalLoss(),
    "sentence_ire": partial(SentenceAlignment, site="ire"),
    "sentence_irm": partial(SentenceAlignment, site="irm", form="soft", negatives="batch"),
    "word_ire": partial(WordAlignment, site="ire"),
    "word_irm": partial(WordAlignment, site="irm", form="l1", balance=0.5),
    "verbs_ire": partial(AuxiliaryVerbs, site="ire"),
}
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
    "use_distributed_sampler": False,
}


def text(vocabulary) -> TextEmbeddings:
    """Random embeddings; a phrase has two words."""
    g = torch.Generator().manual_seed(2)
    count = len(vocabulary.hois)
    real = torch.ones(count, 2, dtype=torch.bool)
    words = torch.randn(count, 2, 12, generator=g)
    return TextEmbeddings(torch.randn(count, 12, generator=g), words, real, real)


def tiny_task(losses=None, lr: float = 1e-3, **options) -> HOITask:
    """The default composition in small, without dropout."""
    torch.manual_seed(1)
    features = partial(PairFeatures, region_size=2, union_size=2, reduced=8, dropout=0.0)
    sizes = {"heads": 2, "hidden": 16, "dropout": 0.0}
    model = partial(
        assemble,
        detector=tiny_detector(),
        selection=Selection(score_threshold=0.0, min_instances=2, max_instances=4, nms_iou=1.0),
        remine=partial(Neck, dim=16),
        ire=partial(IRE, pair_features=features, dim=16, layers=1, grid=(3, 4), **sizes),
        irm=partial(IRM, **sizes),
        max_pairs=options.pop("max_pairs", 10**6),
        compiled=options.pop("compiled", False),
    )
    losses = LOSSES if losses is None else losses
    return HOITask(model, losses, ScheduledAdamW(lr=lr), VOCABULARY, text, **options)


def random_batch(images: int, seed: int = 0, entities: int = 9) -> Batch:
    """Scenes in which some pairs are annotated, different numbers of them per image."""
    # the first entity is a person, so that there are pairs
    scene = random_scene(images, entities, seed)
    labels = scene.entities.labels.clone()
    labels[:, 0] = 0
    scene = scene._replace(entities=scene.entities._replace(labels=labels))

    g = torch.Generator().manual_seed(seed + 1)
    human = torch.zeros(images, 4, dtype=torch.long)
    object_ = torch.randint(1, entities, (images, 4), generator=g)
    objects = gather_rows(labels, object_)
    valid = VOCABULARY.valid_pairs()[objects]
    truth = Truth(
        gather_rows(scene.entities.boxes, human),
        gather_rows(scene.entities.boxes, object_),
        objects,
        valid & (torch.rand(valid.shape, generator=g) < 0.3),
        torch.arange(4) < torch.randint(0, 5, (images, 1), generator=g),
    )
    return Batch(Inputs(None, scene), truth, list(range(100, 100 + images)))


def in_double(batch: Batch) -> Batch:
    """The batch with all floating-point numbers in float64."""

    def convert(record):
        if isinstance(record, tuple):
            return type(record)(*map(convert, record))
        if isinstance(record, dict):
            return {name: convert(value) for name, value in record.items()}
        is_float = isinstance(record, Tensor) and record.is_floating_point()
        return record.double() if is_float else record

    return batch._replace(inputs=convert(batch.inputs))


def divided(batch: Batch, parts: int) -> list[Batch]:
    """The batch in so many batches of equal size."""
    size = len(batch.image_ids) // parts
    return [
        Batch(
            Inputs(None, images_of(batch.inputs.scene, first, first + size)),
            images_of(batch.truth, first, first + size),
            batch.image_ids[first : first + size],
        )
        for first in range(0, size * parts, size)
    ]


class Gradients(Callback):
    """Keeps the gradients of each step, by name; in a file, if its path is given."""

    def __init__(self, path=None) -> None:
        self.steps: list[dict[str, Tensor]] = []
        self.path = path

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        weights = pl_module.named_parameters()
        self.steps.append({name: w.grad.clone() for name, w in weights if w.grad is not None})

    def on_train_end(self, trainer, pl_module) -> None:
        if self.path is not None and trainer.is_global_zero:
            torch.save(self.steps, self.path)


def fitted(task: HOITask, batches: Sequence[Batch], **options) -> Trainer:
    """One epoch over the batches."""
    # each item of the list is a batch
    options = {"max_epochs": 1, "devices": 1} | QUIET | options
    trainer = Trainer(**options)
    loader = DataLoader(list(batches), batch_size=None)
    trainer.fit(task, loader)
    return trainer
