"""The training half of the HOI task: from a batch to the loss of an optimiser step."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import Tensor

from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.models.compiled import Compiled, begin_step
from rmlr_lightning.ops.capacity import Capacities
from rmlr_lightning.ops.matching import match_pairs, select_positives
from rmlr_lightning.ops.parts import images_of, split
from rmlr_lightning.ops.prior import log_prior
from rmlr_lightning.tasks.epoch_losses import EpochLosses
from rmlr_lightning.tasks.finite import Findings, finite_images, is_finite, rows_that_fail
from rmlr_lightning.tasks.step import Part, StepLosses, is_whole, loss_terms
from rmlr_lightning.tasks.supervision import EARLY_STEPS, Matches
from rmlr_lightning.tasks.training import FiniteTraining
from rmlr_lightning.types import Batch, Images, Labels, Pairs, Prediction, Scene, Truth

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
        self.step: StepLosses | None = None  # the last one
        self.epoch_losses = EpochLosses()
        self.matches = Matches()
        self.capacities: Capacities | None = None  # sizes of compiled batches
        self._compiled_terms, self._compiled_label = Compiled(self.terms), Compiled(self._label)

    def setup(self, stage: str) -> None:
        """Let the loader make the candidate pairs of cached Scenes."""
        datamodule = getattr(self.trainer, "datamodule", None)
        if stage != "fit" or not hasattr(datamodule, "rules"):
            return
        datamodule.rules = self.model.rules.cpu()
        if self.model.compiled:
            self.capacities = self.model.new_capacities()
            dataset = datamodule.dataset("train")
            if hasattr(dataset, "largest"):
                self.capacities.reserve(*dataset.largest())

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

    def terms(
        self,
        scene: Scene,
        pairs: Pairs,
        images: Images | None,
        truth: Truth,
        labels: Labels | None = None,
        counts: dict[str, Tensor] | None = None,
    ) -> tuple[Float[Tensor, "terms"], Labels]:
        """From selected entities to the loss terms: the trained half of a step, without a wait.

        With `model.compiled` it is one graph.

        Args:
            labels: made here if None.
            counts: see `tasks.step.loss_terms`.

        Returns:
            The terms in the order of the losses, and the labels.
        """
        if labels is None:
            labels = self._label(scene, pairs, truth)
        prediction = self.model.interpret(scene, pairs, images)
        return loss_terms(self.losses, prediction, labels, counts or {}), labels

    def on_fit_start(self) -> None:
        batches = self.trainer.accumulate_grad_batches * self.trainer.world_size
        names = [name for name in self.losses if getattr(self.losses[name], "compares_rows", False)]
        if names and batches > 1:
            rank_zero_only(print)(
                f"note: loss {names[0]} compares the rows of one batch, so its negatives are those "
                f"of 1 of the {batches} batches of a step; other losses are as with one batch"
            )

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        progress = self.trainer.global_step / self.trainer.estimated_stepping_batches
        for loss in self.losses.values():
            if isinstance(loss, Alignment):
                loss.set_progress(progress)

        if self.trainer.global_step >= EARLY_STEPS:
            self.matches.judge()
        self.accumulated = self.trainer.accumulate_grad_batches
        self.is_last = (index + 1) % self.accumulated == 0 or self._ends_epoch(index)
        if index % self.accumulated == 0:  # an interrupted run may have left some
            self.parts, self.batches = [], 0

    def _ends_epoch(self, index: int) -> bool:
        return self.trainer.is_last_batch or index + 1 >= self.trainer.num_training_batches

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

        self.step = step = self._step()
        self.watch.explain_by(partial(self._findings, step))
        values = []
        for part in step.parts[:-1]:
            terms = self._part_terms(step, part)
            with torch.autocast(self.device.type, enabled=False):
                self.trainer.strategy.backward(terms.sum() / step.batches, None)
            values.append(terms.detach())
        # Lightning runs the last backward pass, in which DDP averages the gradients of all parts.
        terms = self._part_terms(step, step.parts[-1])
        loss = terms.sum()
        values.append(terms.detach())
        values = values[0] if len(values) == 1 else torch.stack(values).sum(0)
        images = sum(len(part.image_ids) for part in step.parts)
        self.epoch_losses.add(values if step.batches == 1 else values / step.batches, images)
        # Lightning divides by the number of batches of a full step; the last of an epoch has fewer
        factor = self.accumulated / step.batches
        return loss if factor == 1 else loss * factor

    def _step(self) -> StepLosses:
        """The step that the parts so far make."""
        parts, batches = self.parts, self.batches
        self.parts, self.batches = [], 0
        if not is_whole(self.losses, parts):
            label = self._compiled_label if self.model.compiled else self._label
            parts = [
                part._replace(labels=label(part.scene, part.pairs, part.truth)) for part in parts
            ]
        return StepLosses(self.losses, parts, batches)

    def _part_terms(self, step: StepLosses, part: Part) -> Float[Tensor, "terms"]:
        terms = self._compiled_terms if self.model.compiled else self.terms
        found, labels = terms(*part[:5], step.counts)
        self.matches.add(labels, part.truth)
        found = step.weighted(found, part)
        self.watch.add_terms(list(self.losses), found)
        self.watch.add_images(part.image_ids)
        return found

    def on_train_batch_end(self, outputs: Any, batch: Batch, index: int) -> None:
        """Log the losses where an epoch ends; Lightning weights what it gets by the images."""
        trainer = self.trainer
        ends_training = trainer.should_stop or trainer.global_step == trainer.max_steps
        if not (ends_training or self._ends_epoch(index)):
            return
        found = self.epoch_losses.take()
        if found is not None:
            means, images = found
            names = [f"train/loss_{name}" for name in self.losses]
            logged = dict(zip(names, means.unbind(), strict=True)) | {"train/loss": means.sum()}
            shown = {"prog_bar": True, "on_step": False, "on_epoch": True, "sync_dist": True}
            self.log_dict(logged, batch_size=images, **shown)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["epoch_losses"] = self.epoch_losses.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        if self._resumes() and self.trainer.is_global_zero:
            self.epoch_losses.load_state_dict(checkpoint.get("epoch_losses", {}), self.device)

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self.matches.judge()

    def optimizer_zero_grad(self, *_: Any) -> None:
        """Nothing: Lightning calls it after `training_step`, which has done it before."""

    def _parts(self, batch: Batch) -> list[Part]:
        """The batch in parts of bounded size, each with its truth."""
        scene, pairs, _ = self.model.candidates(batch.inputs)
        images = batch.inputs.images if self.model.remine.needs_pixels else None
        truth, compiled = batch.truth, self.model.compiled
        if compiled:
            if self.capacities is None:
                self.capacities = self.model.new_capacities()
            begin_step()
            scene, pairs, images = self.capacities.pad(scene, pairs, images)
            truth = self.capacities.pad_truth(truth)

        parts, first = [], 0
        for part in split(scene, pairs, images, self.model.max_pairs, same_size=compiled):
            last = first + len(part[1].mask)
            share = (last - first) / len(batch.image_ids)
            ids = batch.image_ids[first:last]
            parts.append(Part(*part, images_of(truth, first, last), None, ids, share))
            first = last
        return parts

    def gradient_norms(self) -> dict[str, Tensor]:
        """The norm of the gradient of each loss term at pair tokens and logits, in the last step.

        The step is run again, with another draw of dropout; the training does not change.
        """
        squares: dict[str, list[Tensor]] = {}
        with self._again():
            for part in self.step.parts:
                prediction, labels = self._interpreted(part)
                for name, gradients in self._differentiated(self.step, prediction, labels):
                    of_term = squares.setdefault(name, [torch.zeros((), device=self.device)])
                    of_term += [gradient.float().square().sum() for gradient in gradients]
        return {name: torch.stack(values).sum().sqrt() for name, values in squares.items()}

    def _findings(self, step: StepLosses) -> Findings:
        """What is not finite in a step, found by running it again."""
        found = Findings([], [], [])
        with self._again():
            for part in step.parts:
                self._examine(step, part, found)
        return found

    @contextmanager
    def _again(self) -> Iterator[None]:
        """In which a step is run again without a trace."""
        context = self.trainer.precision_plugin.forward_context()
        was_training = self.training
        self.losses.eval()  # phrases have been counted
        try:
            with torch.random.fork_rng(), context:
                yield
        finally:
            self.losses.train(was_training)

    def _interpreted(self, part: Part) -> tuple[Prediction, Labels]:
        """The outputs of the trained stages, of which terms can be differentiated."""
        labels = part.labels
        with torch.no_grad():
            prediction = self.model.interpret(part.scene, part.pairs, part.images)
            if labels is None:
                labels = self._label(part.scene, part.pairs, part.truth)
        for values in prediction[2:5]:
            values.requires_grad_()
        return prediction, labels

    def _differentiated(
        self, step: StepLosses, prediction: Prediction, labels: Labels
    ) -> Iterator[tuple[str, list[Tensor]]]:
        """Each loss term and its gradients at the outputs of the trained stages."""
        for name, loss in self.losses.items():
            # one by one: a gradient of 0 of another term would become NaN with it
            with torch.enable_grad():
                (term,) = loss_terms({name: loss}, prediction, labels, step.counts)
            if term.requires_grad:
                gradients = torch.autograd.grad(term, prediction[2:5], allow_unused=True)
                yield name, [gradient for gradient in gradients if gradient is not None]

    def _examine(self, step: StepLosses, part: Part, found: Findings) -> None:
        ids, scene, entities = part.image_ids, part.scene, part.scene.entities
        inputs = finite_images(entities.boxes, entities.scores, entities.tokens, scene.memory)
        found.inputs.extend(rows_that_fail(ids, inputs))

        prediction, labels = self._interpreted(part)
        found.outputs.extend(rows_that_fail(ids, finite_images(*prediction[2:5])))
        for name, gradients in self._differentiated(step, prediction, labels):
            if not all(bool(is_finite(gradient)) for gradient in gradients):
                found.steep.append(name)
