"""Training and evaluation of RmLR."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import torch
from torch import nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.calibration import Reliability
from rmlr_lightning.metrics.selection import SelectionReport
from rmlr_lightning.models.checkpoint import (
    CHECKPOINT_FORMAT,
    check_vocabulary,
    plain_vocabulary,
    read_vocabulary,
)
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.calibration import Calibration, plain_calibration, read_calibration
from rmlr_lightning.ops.selection_counts import PREFIX
from rmlr_lightning.tasks.hoi_training import HOITraining
from rmlr_lightning.tasks.metrics import SplitMetrics
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.types import (
    Batch,
    Detections,
    Inputs,
    Prediction,
    Target,
    TextEmbeddings,
)
from rmlr_lightning.vocabulary import Vocabulary

DETECTOR = "model.detector."
LOSSES = "losses."


class HOITask(HOITraining):
    """A model, its losses, and the metrics of val and test.

    Checkpoints hold the trained weights and reference the frozen detector by its SHA-256 hash. A
    checkpoint of another detector is refused.

    Args:
        model: makes the HOIModel for a vocabulary (`models.assemble`).
        losses: by name; each maps (prediction, labels) to a weighted scalar, or makes such a
            module from the tokens' width `dim`, the `vocabulary` and the `bank` of text
            embeddings. None leaves a loss out. Evaluation needs none.
        optim: optimiser and schedule.
        vocabulary: of the data.
        text: makes the text embeddings of the phrases, if a loss or the classifier needs them.
            The model's forward has no text input.
        metrics: by name; each makes a metric for `split`, `vocabulary` and `unseen`
            (`metrics.base.EvaluationMetric`), or None where it does not apply.
        min_overlap, same_object: see `ops.matching.match_pairs`.
        max_positives: interacting pairs per image that alignments use.
        unseen: HOIs hidden from training (`ops.zero_shot`): they are neither positives nor
            negatives of any loss, and evaluation reports them separately. None hides none.
        not_finite, max_skipped: what happens at a step whose loss or gradient is not finite; see
            `tasks.finite.FiniteSteps`.
    """

    def __init__(
        self,
        model: partial[HOIModel],
        losses: Mapping[str, nn.Module | Callable[..., nn.Module]],
        optim: ScheduledAdamW,
        vocabulary: Vocabulary,
        text: Callable[[Vocabulary], TextEmbeddings] | None = None,
        metrics: Mapping[str, Callable[..., Any]] | None = None,
        min_overlap: float = 0.5,
        same_object: bool = True,
        max_positives: int = 32,
        unseen: Callable[[Vocabulary], frozenset[int]] | None = None,
        not_finite: str = "stop",
        max_skipped: int = 10,
    ) -> None:
        super().__init__(not_finite, max_skipped)
        if not 0 < min_overlap <= 1:
            raise UserError(f"task.module.min_overlap={min_overlap}: expected an IoU above 0, to 1")
        self.optim = optim
        self.min_overlap, self.same_object = min_overlap, same_object
        self.max_positives = max_positives

        # unseen HOIs leave the table of valid pairs in training, not in evaluation
        hidden = unseen(vocabulary) if unseen is not None else frozenset()
        self.register_buffer("trained_pairs", vocabulary.valid_pairs(hidden), persistent=False)
        verbs, objects = torch.tensor(vocabulary.hois).unbind(1)
        self.register_buffer("phrase_verbs", verbs, persistent=False)
        self.register_buffer("phrase_objects", objects, persistent=False)

        bank = cache(partial(_embed_phrases, text, vocabulary))
        needs_text = text is not None or losses
        self.model = model(vocabulary=vocabulary, bank=bank if needs_text else None)
        self.losses = nn.ModuleDict()
        for name, loss in losses.items():
            if loss is None:
                continue
            if not isinstance(loss, nn.Module):
                loss = loss(dim=self.model.ire.dim, vocabulary=vocabulary, bank=bank)
            self.losses[name] = loss
        self.reads_text = bank.cache_info().currsize > 0  # a loss or the classifier

        self._make_metrics = partial(SplitMetrics, constructors=metrics or {}, unseen=hidden)
        self.evaluate_on(vocabulary)
        self.calibration: Calibration | None = None  # fitted at the end of every validation
        self.kept: list[tuple[Target, Detections]] | None = None  # [] keeps what evaluation finds
        self.commit: str | None = None  # of the code that trains, for model cards
        # checkpoints lack the detector's weights; `check_checkpoint` compares the rest by name
        self.strict_loading = False

    def evaluate_on(self, vocabulary: Vocabulary) -> None:
        """Evaluate on classes that continue those of the model.

        The model finds no HOI beyond its own: the AP of these is 0, and part of the mean.
        """
        self.vocabulary = vocabulary
        self.metrics = nn.ModuleDict()
        for split in ("val", "test"):
            report = SelectionReport(self.model.selection, self.model.subject)
            self.metrics[split] = self._make_metrics(
                split,
                vocabulary=vocabulary,
                selection=report,
                reliability=Reliability(vocabulary, split),
            )

    def forward(self, inputs: Inputs) -> Prediction:
        return self.model(inputs)

    def detect(self, prediction: Prediction, max_detections: int | None = None) -> list[Detections]:
        """HOI detections of a batch on the CPU, boxes in pixels of the files."""
        return self.model.detect(prediction, max_detections)

    def validation_step(self, batch: Batch, index: int) -> None:
        self._evaluate("val", batch)

    def test_step(self, batch: Batch, index: int) -> None:
        self._evaluate("test", batch)

    def _evaluate(self, split: str, batch: Batch) -> None:
        prediction = self.model(batch.inputs)
        found = self.detect(prediction)
        # the exact annotations never leave the main process
        dataset = self.trainer.datamodule.dataset(split)
        targets = [dataset.target(image_id) for image_id in batch.image_ids]
        self.metrics[split].update(found, targets)
        self.metrics[split].examine(prediction, targets)
        if self.kept is not None:
            self.kept += zip(targets, found, strict=True)

    def on_validation_epoch_end(self) -> None:
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def _log_metrics(self, split: str) -> None:
        reliability = self.metrics[split].reliability
        reliability.calibration = self.calibration
        values = self.metrics[split].compute()
        # of the weights that the next checkpoint holds
        self.calibration = reliability.calibration
        for key, value in values.items():
            # the values are equal on all processes already; sync_dist only satisfies Lightning
            shown = split == "val" and PREFIX not in key
            self.log(key, value, prog_bar=shown, sync_dist=True)

    def configure_optimizers(self) -> dict:
        return self.optim(self, int(self.trainer.estimated_stepping_batches))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        for key in _weight_keys(checkpoint):
            state = checkpoint[key]
            checkpoint[key] = {k: v for k, v in state.items() if not k.startswith(DETECTOR)}
        checkpoint["detector"] = self.model.detector.fingerprint()["weights"]
        checkpoint["vocabulary"] = plain_vocabulary(self.vocabulary)
        checkpoint["calibration"] = plain_calibration(self.calibration)
        checkpoint["commit"] = self.commit

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_checkpoint(self, checkpoint)
        super().on_load_checkpoint(checkpoint)
        self.calibration = calibration_of(checkpoint)


def calibration_of(checkpoint: dict[str, Any], path: str = "checkpoint") -> Calibration | None:
    """What its last validation fitted; None before the first.

    Raises:
        UserError: it is damaged.
    """
    try:
        return read_calibration(
            checkpoint.get("calibration"), len(checkpoint["vocabulary"]["verbs"])
        )
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error})") from error


def _weight_keys(checkpoint: dict[str, Any]) -> set[str]:
    """Where a checkpoint holds weights; the second key is there with callbacks=ema."""
    return {"state_dict", "current_model_state"} & checkpoint.keys()


def _embed_phrases(
    text: Callable[[Vocabulary], TextEmbeddings] | None, vocabulary: Vocabulary
) -> TextEmbeddings:
    if text is None:
        raise UserError(
            "the losses or the classifier need text; add text=minilm, or another of conf/text"
        )
    return text(vocabulary)


def check_checkpoint(task: HOITask, checkpoint: dict[str, Any], path: str = "checkpoint") -> None:
    """Compare a checkpoint's weights, detector and vocabulary with those of the task.

    A task without losses ignores the weights of losses.

    Raises:
        UserError: they differ.
    """
    if checkpoint.get("format") != CHECKPOINT_FORMAT:
        raise UserError(f"{path}: not of this version of rmlr_lightning; train again")
    ours = {k: v.shape for k, v in task.state_dict().items() if not k.startswith(DETECTOR)}
    theirs = {
        name: value.shape
        for name, value in checkpoint["state_dict"].items()
        if task.losses or not name.startswith(LOSSES)
    }
    differing = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
    if differing:
        raise UserError(
            f"{path}: of another model (weights that differ: {len(differing)}, such as "
            f"{differing[0]}); "
            "use the configuration it was trained with"
        )
    if checkpoint.get("detector") != task.model.detector.fingerprint()["weights"]:
        raise UserError(
            f"{path}: trained with another detector; use the detector weights it was trained with"
        )
    check_vocabulary(read_vocabulary(checkpoint["vocabulary"]), task.vocabulary, path, "the data")
