"""The training half of the HOI task: from a batch to the loss of an optimiser step."""

from typing import Any

import torch
from torch import Tensor

from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.ops.matching import match_pairs, select_positives
from rmlr_lightning.ops.parts import images_of, split
from rmlr_lightning.ops.prior import log_prior
from rmlr_lightning.tasks.step import Part, StepLosses
from rmlr_lightning.tasks.training import FiniteTraining
from rmlr_lightning.types import Batch, Labels, Pairs, Prediction, Scene, Truth

TRAINING_POWER = 1.0  # of the detection scores in the prior (UPT)


class HOITraining(FiniteTraining):
    """Labels, losses and steps; `HOITask` makes the parts and evaluates.

    Args:
        not_finite, max_skipped: see `FiniteTraining`.
    """

    def __init__(self, not_finite: str, max_skipped: int) -> None:
        super().__init__(not_finite, max_skipped)
        self.parts: list[Part] = []  # of the batches of an optimiser step so far
        self.batches = 0  # number of these batches
        self.accumulated = 1  # batches of a full step
        self.is_last = True  # whether the step runs at the present batch

    def label(self, prediction: Prediction, truth: Truth) -> Labels:
        """The supervision of all candidate pairs, shared by all losses."""
        return self._label(prediction.scene, prediction.pairs, truth)

    def _label(self, scene: Scene, pairs: Pairs, truth: Truth) -> Labels:
        entities = scene.entities
        prior = log_prior(entities, pairs, self.trained_pairs, TRAINING_POWER)
        valid = prior > -torch.inf
        verbs = match_pairs(entities, pairs, truth, self.min_overlap, self.same_object) & valid
        positives = select_positives(
            verbs, pairs, self.phrase_verbs, self.phrase_objects, self.max_positives
        )
        return Labels(verbs, valid, prior, positives)

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        progress = self.trainer.global_step / self.trainer.estimated_stepping_batches
        for loss in self.losses.values():
            if isinstance(loss, Alignment):
                loss.progress = progress

        self.accumulated = self.trainer.accumulate_grad_batches
        ends_epoch = self.trainer.is_last_batch or index + 1 >= self.trainer.num_training_batches
        self.is_last = (index + 1) % self.accumulated == 0 or ends_epoch
        if index % self.accumulated == 0:  # an interrupted run may have left some
            self.parts, self.batches = [], 0

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The loss of an optimiser step, of which all but the last part has had its backward pass.

        See `tasks.step`.
        """
        # Gradients of all parts but the last are made in here, before Lightning's own zero_grad.
        if not self.parts:
            self.zero_grad()
        self.parts += self._parts(batch)
        self.batches += 1
        if not self.is_last:
            # Lightning runs a backward pass for each accumulated batch
            return torch.zeros((), device=self.device, requires_grad=True)

        step = StepLosses(self.losses, self.parts, self.batches)
        self.parts, self.batches = [], 0
        for part in step.parts[:-1]:
            loss = self._part_loss(step, part) / step.batches
            with torch.autocast(self.device.type, enabled=False):
                self.trainer.strategy.backward(loss, None)
        # Lightning runs the last backward pass, in which DDP averages the gradients of all parts.
        loss = self._part_loss(step, step.parts[-1])

        logged = {f"train/{name}": value / step.batches for name, value in step.values.items()}
        count = sum(len(part.image_ids) for part in step.parts)
        shown = {"prog_bar": True, "on_step": False, "on_epoch": True, "sync_dist": True}
        self.log_dict(logged, batch_size=count, **shown)
        # Lightning divides by the number of batches of a full step; the last of an epoch has fewer
        return loss * (self.accumulated / step.batches)

    def optimizer_zero_grad(self, *_: Any) -> None:
        """Nothing: Lightning calls it after `training_step`, which has done it before."""

    def _parts(self, batch: Batch) -> list[Part]:
        """The batch, labelled, in parts of bounded size."""
        scene, pairs, _ = self.model.candidates(batch.inputs)
        images = batch.inputs.images if self.model.remine.needs_pixels else None
        parts, first = [], 0
        for part in split(scene, pairs, images, self.model.max_pairs, self.model.bucket):
            last = first + len(part[1].mask)
            labels = self._label(*part[:2], images_of(batch.truth, first, last))
            share = (last - first) / len(batch.image_ids)
            parts.append(Part(*part, labels, batch.image_ids[first:last], share))
            first = last
        return parts

    def _part_loss(self, step: StepLosses, part: Part) -> Tensor:
        prediction = self.model.interpret(part.scene, part.pairs, part.images)
        self.watch.add_part(part, prediction)
        terms = []
        for name in self.losses:
            terms.append(step.term(name, self.watch.watched(name, prediction), part))
            self.watch.add_term(name, terms[-1])
            step.add_value(f"loss_{name}", terms[-1])
        total = torch.stack(terms).sum()
        step.add_value("loss", total)
        return total
