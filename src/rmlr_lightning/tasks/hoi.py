"""Training and evaluating RmLR."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.models.checkpoint import check_vocabulary, plain_vocabulary, read_vocabulary
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.models.pair_features import without_biases
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.ops.matching import match_pairs
from rmlr_lightning.ops.postprocess import detections
from rmlr_lightning.ops.prior import verb_scores
from rmlr_lightning.tasks.metrics import SplitScores
from rmlr_lightning.tasks.optim import AdamWRecipe
from rmlr_lightning.types import Batch, Detections, Inputs, Prediction, Target, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

DETECTOR = "model.detector."
LOSSES = "losses."


class HOITask(LightningModule):
    """A model, the losses it learns by, and mAP on val and test.

    Checkpoints hold what was trained; the frozen detector stands in them by its hash, and one with other weights is
    refused.

    Args:
        model: makes the HOIModel for a vocabulary (`models.assemble`).
        losses: by name; each maps (prediction, labels, prior) to a weighted scalar, or makes such a module from the
            tokens' width `dim`, the `vocabulary` and the `bank` of its phrases. One that
            is None is left out; to evaluate none are needed.
        optim: optimiser and schedule.
        vocabulary: of the data.
        text: makes the bank of the vocabulary's phrases, if a loss or the classifier asks for it. The model's forward
            never sees text.
        same_object: see `ops.match_pairs`.
        twins: a world.json of the embedded world, to report the accuracy on its test split's twins; None for none.
        unseen: which HOIs training must not see (`ops.unseen`): they are neither positives nor negatives of
            any loss, and evaluation reports them apart. None: all are seen.
        role_truth: by split ("val", "test") V-COCO's official files (annotations, instances, ids), to report role AP.
    """

    def __init__(
        self,
        model: partial[HOIModel],
        losses: Mapping[str, nn.Module | Callable[..., nn.Module]],
        optim: AdamWRecipe,
        vocabulary: Vocabulary,
        text: Callable[[Vocabulary], TextEmbeddings] | None = None,
        same_object: bool = True,
        twins: str | None = None,
        role_truth: Mapping[str, Any] | None = None,
        unseen: Callable[[Vocabulary], frozenset[int]] | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        hidden = unseen(vocabulary) if unseen is not None else frozenset()
        self.register_buffer("seen", vocabulary.valid_pairs(hidden), persistent=False)
        bank = cache(partial(_bank, text, vocabulary))
        self.model = model(vocabulary=vocabulary, bank=bank if text is not None or losses else None)
        parts = {"dim": self.model.ire.dim, "vocabulary": vocabulary, "bank": bank}
        self.losses = nn.ModuleDict(
            {
                name: loss if isinstance(loss, nn.Module) else loss(**parts)
                for name, loss in losses.items()
                if loss is not None
            }
        )
        self.optim = optim
        self.same_object = same_object
        self.kept: list[tuple[Target, Detections]] | None = (
            None  # set to [] to keep what evaluation finds
        )
        self.recipe: dict[
            str, Any
        ] = {}  # the configuration, kept in checkpoints so that they can be used alone
        self.register_buffer("finite", torch.tensor(True), persistent=False)  # all losses so far
        role_truth = role_truth or {}
        self.scores = nn.ModuleDict(
            {
                "val": SplitScores("val", vocabulary, None, role_truth.get("val"), hidden),
                "test": SplitScores("test", vocabulary, twins, role_truth.get("test"), hidden),
            }
        )
        self.strict_loading = False  # the detector's weights are not in the checkpoint; ours are checked by name below

    def forward(self, inputs: Inputs) -> Prediction:
        return self.model(inputs)

    def detect(self, prediction: Prediction, most: int | None = None) -> list[Detections]:
        """HOI detections of a batch, boxes in pixels of the files."""
        scores = verb_scores(prediction.logits, self.model.prior(prediction))
        found = detections(
            scores, prediction.scene.entities, prediction.pairs, prediction.scene.sizes, most
        )
        return [Detections(*(field.cpu() for field in image)) for image in found]

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        for loss in (loss for loss in self.losses.values() if isinstance(loss, Alignment)):
            loss.progress = self.trainer.global_step / self.trainer.estimated_stepping_batches

    def training_step(self, batch: Batch, index: int) -> Tensor:
        prediction = self.model(batch.inputs)
        labels = match_pairs(
            prediction.scene.entities,
            prediction.pairs,
            batch.targets,
            len(self.vocabulary.verbs),
            same_object=self.same_object,
        )
        prior = self.model.prior(prediction)
        seen = self.seen[gather_rows(prediction.scene.entities.labels, prediction.pairs.object)]
        labels, prior = labels & seen, torch.where(seen, prior, -torch.inf)
        terms = {name: loss(prediction, labels, prior) for name, loss in self.losses.items()}
        total = torch.stack(list(terms.values())).sum()
        self.finite = self.finite & total.detach().isfinite()
        logged = {f"train/loss_{name}": term.detach() for name, term in terms.items()} | {
            "train/loss": total.detach()
        }
        self.log_dict(
            logged, batch_size=len(batch.targets), prog_bar=True, on_step=False, on_epoch=True
        )
        return total

    def on_train_epoch_end(self) -> None:
        self._check_finite()

    def on_validation_start(self) -> None:
        self._check_finite()

    def _check_finite(self) -> None:
        """Once an epoch, before a checkpoint is written: a check a step would wait for the GPU."""
        if not self.finite:
            raise UserError(
                f"training diverged in epoch {self.current_epoch}: a loss is not finite; lower optim.lr or the weights "
                "of the losses, or use trainer.precision=32-true"
            )

    def validation_step(self, batch: Batch, index: int) -> None:
        self._score("val", batch)

    def test_step(self, batch: Batch, index: int) -> None:
        self._score("test", batch)

    def _score(self, split: str, batch: Batch) -> None:
        labels = self.trainer.datamodule.dataset(split).image_hois
        hois = [labels[target.image_id] for target in batch.targets] if labels is not None else None
        found = self.detect(self.model(batch.inputs))
        self.scores[split].update(batch.targets, found, hois)
        if self.kept is not None:
            self.kept += zip(batch.targets, found, strict=True)

    def on_validation_epoch_end(self) -> None:
        self.log_dict(
            self.scores["val"].compute(), prog_bar=True, sync_dist=True
        )  # equal on all processes already

    def on_test_epoch_end(self) -> None:
        self.log_dict(self.scores["test"].compute(), sync_dist=True)

    def configure_optimizers(self) -> dict:
        return self.optim(self, int(self.trainer.estimated_stepping_batches))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for key in {
            "state_dict",
            "current_model_state",
        } & checkpoint.keys():  # the latter with callbacks=ema
            state = checkpoint[key]
            checkpoint[key] = {
                name: value for name, value in state.items() if not name.startswith(DETECTOR)
            }
        checkpoint["detector_hash"] = self.model.detector.hash
        checkpoint["vocabulary"] = plain_vocabulary(self.vocabulary)
        checkpoint["recipe"] = self.recipe

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_checkpoint(self, checkpoint)


def _bank(
    text: Callable[[Vocabulary], TextEmbeddings] | None, vocabulary: Vocabulary
) -> TextEmbeddings:
    if text is None:
        raise UserError(
            "the losses or the classifier need text; add text=minilm, or another of conf/text"
        )
    return text(vocabulary)


def check_checkpoint(task: HOITask, checkpoint: dict[str, Any], path: str = "checkpoint") -> None:
    """Refuse a checkpoint whose parts or detector are not those of the task. A task without losses needs none.

    Weights of older versions are brought into today's form, in place.
    """
    for key in {"state_dict", "current_model_state"} & checkpoint.keys():
        checkpoint[key] = without_biases(checkpoint[key])
    ours = {
        name: value.shape
        for name, value in task.state_dict().items()
        if not name.startswith(DETECTOR)
    }
    theirs = {
        name: value.shape
        for name, value in checkpoint["state_dict"].items()
        if task.losses or not name.startswith(LOSSES)
    }
    if ours != theirs:
        odd = sorted(
            name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
        )
        raise UserError(
            f"{path}: made by another model ({len(odd)} parts differ, such as {odd[0]}); use its own recipe"
        )
    if checkpoint.get("detector_hash") != task.model.detector.hash:
        raise UserError(
            f"{path}: trained on top of another detector; give the detector weights it was trained with"
        )
    check_vocabulary(read_vocabulary(checkpoint["vocabulary"]), task.vocabulary, path, "the data")
