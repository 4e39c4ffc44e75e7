"""Which pairs are which true interactions."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.ops.boxes import batched_iou
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.types import Entities, Pairs, Target


def match_pairs(
    entities: Entities,
    pairs: Pairs,
    targets: list[Target],
    verbs: int,
    threshold: float = 0.5,
    same_object: bool = True,
) -> Bool[Tensor, "B P V"]:
    """True where a pair shows a verb: min(IoU_h, IoU_o) with a true pair of that verb is at least `threshold`.

    Args:
        same_object: the pair's object must also have the true object's class (our reading; UPT does not ask for it, and
            so teaches the verb to a mislabelled object too, which evaluation then counts as false).
    """
    labels = torch.zeros(*pairs.mask.shape, verbs, dtype=torch.bool, device=pairs.mask.device)
    rows = [
        torch.nonzero(target.objects >= 0).flatten() for target in targets
    ]  # V-COCO's empty roles are no pairs
    real = pad_sequence([torch.ones_like(row, dtype=torch.bool) for row in rows], batch_first=True)
    if real.shape[1] == 0:
        return labels
    scale = [target.size.flip(0).repeat(2).to(target.boxes_h.dtype) for target in targets]
    true_h = pad_sequence(
        [t.boxes_h[row] / s for t, row, s in zip(targets, rows, scale, strict=True)],
        batch_first=True,
    )
    true_o = pad_sequence(
        [t.boxes_o[row] / s for t, row, s in zip(targets, rows, scale, strict=True)],
        batch_first=True,
    )
    verb = pad_sequence(
        [t.verbs[row] for t, row in zip(targets, rows, strict=True)], batch_first=True
    )
    thing = pad_sequence(
        [t.objects[row] for t, row in zip(targets, rows, strict=True)], batch_first=True
    )

    overlap = torch.minimum(
        gather_rows(batched_iou(entities.boxes.float(), true_h.float()), pairs.human),
        gather_rows(batched_iou(entities.boxes.float(), true_o.float()), pairs.object),
    )
    match = (overlap >= threshold) & real[:, None] & pairs.mask[..., None]
    if same_object:
        match &= gather_rows(entities.labels, pairs.object)[..., None] == thing[:, None]
    one_hot: Float[Tensor, "B G V"] = torch.nn.functional.one_hot(verb, verbs).float()
    return torch.bmm(match.float(), one_hot) > 0
