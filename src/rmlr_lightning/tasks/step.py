"""What belongs to one optimiser step: batches of all processes, accumulated ones, and their parts.

A loss is a mean: a sum over rows, divided by a count of rows. The gradient of a step is that of one
large batch only if the count is that of the whole step. Let S(b) and n(b) be sum and count of
batch b, W the number of processes and K that of accumulated batches. A step minimises, over its
W K batches,

    sum of S(b) / sum of n(b)

Each backward pass divides by the total count. DDP averages gradients over processes and Lightning
over accumulated batches, so that each term is multiplied by W K before. Counts follow from labels,
and labels from the frozen detector: they are known before the trained stages run. Labels of
accumulated batches are made as the batches come, and all backward passes run at the last one.

A loss takes part by a method `count(labels)` and an argument `count` of its forward. A loss without
them is a mean over each batch, and these means are averaged.

Most steps are one batch of one process. Its losses count for themselves, so that nothing has to be
known before the trained stages run, and all of it can be one compiled graph.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.losses.alignment import Alignment, aligned
from rmlr_lightning.types import Images, Labels, Pairs, Prediction, Scene, Truth


class Part(NamedTuple):
    """Images of a batch that go through the trained stages together, and their supervision."""

    scene: Scene
    pairs: Pairs
    images: Images | None  # None unless re-mining reads pixels
    truth: Truth
    labels: Labels | None  # None: made from `truth` where they are needed
    image_ids: list[int]
    share: float  # of the images of its batch


class StepLosses:
    """How the loss terms of the parts of one step are divided. Made by all processes at once.

    Args:
        losses: by name; each maps (prediction, labels) to a weighted scalar.
        parts: of the accumulated batches of this process; with labels, unless the only one of one
            process.
        batches: number of these batches.
    """

    def __init__(
        self, losses: Mapping[str, nn.Module], parts: Sequence[Part], batches: int
    ) -> None:
        self.losses, self.batches = losses, batches
        self.scale = batches * world_size()
        self.parts, self.counts = list(parts), {}
        if is_whole(losses, parts):
            return
        self.parts = share_phrases(losses, parts)

        # one message between the processes for all losses
        counted = {name: loss for name, loss in losses.items() if hasattr(loss, "count")}
        if counted:
            own = [
                torch.stack([loss.count(part.labels) for part in self.parts]).sum()
                for loss in counted.values()
            ]
            self.counts = dict(zip(counted, total(torch.stack(own)).unbind(), strict=True))

    def weighted(self, terms: Float[Tensor, "terms"], part: Part) -> Float[Tensor, "terms"]:
        """Terms of a part, whose means over the batches of all processes are those of the step."""
        factors = [self.scale if name in self.counts else part.share for name in self.losses]
        if all(factor == 1 for factor in factors):
            return terms
        weighted = [term * factor for term, factor in zip(terms.unbind(), factors, strict=True)]
        return torch.stack(weighted)


def loss_terms(
    losses: Mapping[str, nn.Module],
    prediction: Prediction,
    labels: Labels,
    counts: Mapping[str, Tensor],
) -> Float[Tensor, "terms"]:
    """The loss terms of a part, one after the other.

    Args:
        counts: what the sums of some losses are divided by; others count for themselves.
    """
    alignments = {name: loss for name, loss in losses.items() if isinstance(loss, Alignment)}
    divisors = [counts.get(name) for name in alignments]
    found = aligned(list(alignments.values()), prediction, labels, divisors)
    values = dict(zip(alignments, found, strict=True))
    for name, loss in losses.items():
        if name not in values:
            count = (counts[name],) if name in counts else ()
            values[name] = loss(prediction, labels, *count)
    return torch.stack([values[name] for name in losses])


def is_whole(losses: Mapping[str, nn.Module], parts: Sequence[Part]) -> bool:
    """Whether the losses of a step need nothing from outside of it."""
    return len(parts) == 1 and world_size() == 1 and not _counting(losses)


def _counting(losses: Mapping[str, nn.Module]) -> list[Alignment]:
    """Losses that count the phrases of all steps so far, for `balance`."""
    alignments = [loss for loss in losses.values() if isinstance(loss, Alignment)]
    return [loss for loss in alignments if loss.balance and loss.training]


def share_phrases(losses: Mapping[str, nn.Module], parts: Sequence[Part]) -> list[Part]:
    """The parts, whose alignments know the phrases of the whole step."""
    alignments = [loss for loss in losses.values() if isinstance(loss, Alignment)]
    if not alignments:
        return list(parts)

    # Negatives of contrastive losses are the phrases of the step, and so are counts for `balance`.
    own = torch.stack([part.labels.positives.phrases.sum(0) for part in parts]).sum(0)
    in_step = total(own.to(alignments[0].phrase_counts.dtype))
    for loss in _counting(losses):
        loss.observe(in_step)

    shared = []
    for part in parts:
        positives = part.labels.positives._replace(in_step=in_step)
        shared.append(part._replace(labels=part.labels._replace(positives=positives)))
    return shared


def world_size() -> int:
    """The number of processes that train together."""
    distributed = torch.distributed
    is_on = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if is_on else 1


def total(values: Tensor) -> Tensor:
    """The sum over all processes."""
    if world_size() > 1:
        torch.distributed.all_reduce(values)
    return values
