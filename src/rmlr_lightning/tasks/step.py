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
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.distributed
from torch import Tensor, nn

from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.types import Images, Labels, Pairs, Prediction, Scene


class Part(NamedTuple):
    """Images of a batch that go through the trained stages together, and their supervision."""

    scene: Scene
    pairs: Pairs
    images: Images | None  # None unless re-mining reads pixels
    labels: Labels
    image_ids: list[int]
    share: float  # of the images of its batch


class StepLosses:
    """The loss terms of one step. Made by all processes at once.

    Args:
        losses: by name; each maps (prediction, labels) to a weighted scalar.
        parts: of the accumulated batches of this process.
        batches: number of these batches.
    """

    def __init__(
        self, losses: Mapping[str, nn.Module], parts: Sequence[Part], batches: int
    ) -> None:
        self.losses, self.batches = losses, batches
        self.scale = batches * world_size()
        self.values: dict[str, Tensor] = {}  # sums over the parts, to be logged
        self.parts = share_phrases(losses, parts)

        # one message between the processes for all losses
        counted = {name: loss for name, loss in losses.items() if hasattr(loss, "count")}
        self.counts: dict[str, Tensor] = {}
        if counted:
            own = [
                torch.stack([loss.count(part.labels) for part in self.parts]).sum()
                for loss in counted.values()
            ]
            self.counts = dict(zip(counted, total(torch.stack(own)).unbind(), strict=True))

    def term(self, name: str, prediction: Prediction, part: Part) -> Tensor:
        """One term of a part; its mean over the batches of all processes is that of the step."""
        loss = self.losses[name]
        if name not in self.counts:
            return part.share * loss(prediction, part.labels)
        return self.scale * loss(prediction, part.labels, self.counts[name])

    def add_value(self, name: str, value: Tensor) -> None:
        """Add to a sum over the parts."""
        value = value.detach()
        self.values[name] = self.values[name] + value if name in self.values else value


def share_phrases(losses: Mapping[str, nn.Module], parts: Sequence[Part]) -> list[Part]:
    """The parts, whose alignments know the phrases of the whole step."""
    alignments = [loss for loss in losses.values() if isinstance(loss, Alignment)]
    counting = [loss for loss in alignments if loss.balance and loss.training]
    is_whole = len(parts) == 1 and world_size() == 1
    if not alignments or (is_whole and not counting):
        return list(parts)

    # Negatives of contrastive losses are the phrases of the step, and so are counts for `balance`.
    own = torch.stack([part.labels.positives.phrases.sum(0) for part in parts]).sum(0)
    in_step = total(own.to(alignments[0].phrase_counts.dtype))
    for loss in counting:
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
