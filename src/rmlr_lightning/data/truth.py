"""From the exact annotations of an image to the padded record that training is supervised by."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.ops.boxes import to_pixels
from rmlr_lightning.types import Entities, Target, Truth
from rmlr_lightning.vocabulary import PERSON


def truth_of(target: Target, size: Int[Tensor, "2"], num_verbs: int) -> Truth:
    """The distinct pairs of one image with all their verbs, without a batch dimension.

    Args:
        target: rows of one verb each, boxes in pixels; empty roles (object -1) are left out.
        size: (height, width) of the image; boxes become relative to it.
        num_verbs: V.
    """
    with_object = target.objects >= 0
    columns = [target.boxes_h.double(), target.boxes_o.double(), target.objects[:, None].double()]
    rows = torch.cat(columns, 1)[with_object]

    # rows of one pair are equal in all columns, so they fall into one group
    pairs, pair_of_row = torch.unique(rows, dim=0, return_inverse=True)
    verbs = torch.zeros(len(pairs), num_verbs, dtype=torch.bool)
    verbs[pair_of_row, target.verbs[with_object]] = True

    scale = to_pixels(size)
    return Truth(
        (pairs[:, :4] / scale).float(),
        (pairs[:, 4:8] / scale).float(),
        pairs[:, 8].long(),
        verbs,
        torch.ones(len(pairs), dtype=torch.bool),
    )


def collate_truths(truths: list[Truth]) -> Truth:
    """Truths of single images, padded to the fullest."""
    fields = zip(*truths, strict=True)
    return Truth(*(pad_sequence(list(field), batch_first=True) for field in fields))


def true_entities(target: Target, size: Int[Tensor, "2"], subject: int | None = PERSON) -> Entities:
    """The distinct boxes of one image as detections of score 1, without tokens.

    People without an object are among them. Boxes are relative to `size` (height, width) and
    clipped to the image, as a detector's are.

    Args:
        subject: class of the people, if the target does not hold theirs.
    """
    with_object = target.objects >= 0
    boxes = torch.cat([target.boxes_h, target.boxes_o[with_object]]).double()
    # relation data hold a class per subject
    people = target.subjects
    if people is None:
        people = torch.full_like(target.objects, subject)
    labels = torch.cat([people, target.objects[with_object]])

    rows: Float[Tensor, "N 5"] = torch.cat([labels[:, None].double(), boxes], 1)
    rows = torch.unique(rows, dim=0)
    # readers let a few inverted boxes of very large files pass (`annotations.boxes`)
    rows = rows[(rows[:, 3:] >= rows[:, 1:3]).all(1)]
    count = len(rows)
    return Entities(
        # a centre outside the image would have no logarithm in the pairs' spatial encoding
        (rows[:, 1:] / to_pixels(size)).float().reshape(-1, 4).clamp(0, 1),
        torch.ones(count),
        rows[:, 0].long(),
        torch.zeros(count, 0),
        torch.ones(count, dtype=torch.bool),
    )
