"""Dense supervision of the detector's feature maps: many cells learn from one object.

DETR's one-to-one matching tells only a few queries an image what is where, so a detector trained from scratch starts
slowly. As in Co-DETR (arXiv 2211.12860) an auxiliary one-to-many head on the encoder's maps, used in training only,
teaches backbone and encoder much faster. Assignment by task alignment (TOOD, arXiv 2108.07755).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torchvision.ops import generalized_box_iou_loss

from rmlr_lightning.ops.boxes import batched_iou


class DenseSupervision(nn.Module):
    """Class and box heads on the encoder's maps, with their loss.

    Args:
        dim: channels of the maps.
        classes: number of object classes.
        cells: how many cells learn from one object.
    """

    def __init__(self, dim: int, classes: int, cells: int = 8, box_weight: float = 2.0) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, dim)
        self.classify = nn.Conv2d(dim, classes, 1)
        self.regress = nn.Conv2d(dim, 4, 1)
        nn.init.constant_(self.classify.bias, -4.6)
        self.cells = cells
        self.box_weight = box_weight

    def forward(
        self,
        maps: Sequence[Float[Tensor, "B C _ _"]],
        boxes: list[Float[Tensor, "_ 4"]],
        labels: list[Int[Tensor, "_"]],
    ) -> Float[Tensor, ""]:
        """Loss of a batch; boxes are xyxy in [0, 1], ragged."""
        if not any(
            len(label) for label in labels
        ):  # one row of padding, so that there is something to assign from
            boxes = [box.new_zeros(1, 4) for box in boxes]
            labels, real = (
                [label.new_zeros(1) for label in labels],
                [torch.zeros(1, dtype=torch.bool, device=box.device) for box in boxes],
            )
        else:
            real = [torch.ones_like(label, dtype=torch.bool) for label in labels]
        logits, predicted, centres = self._predict(maps)
        true = pad_sequence(boxes, batch_first=True)
        classes = pad_sequence(labels, batch_first=True)
        real = pad_sequence(real, batch_first=True)
        goal, weight, owner = self._assign(
            logits.detach(), predicted.detach(), centres, true, classes, real
        )
        count = goal.sum().clamp_min(1)
        score = logits.sigmoid().detach()
        focus = torch.where(goal > 0, 1.0, 0.75 * score**2)
        classification = (
            F.binary_cross_entropy_with_logits(logits, goal, reduction="none") * focus
        ).sum()
        picked = weight > 0
        matched = torch.gather(true, 1, owner[..., None].expand(-1, -1, 4))
        regression = (
            generalized_box_iou_loss(predicted[picked], matched[picked], reduction="none")
            * weight[picked]
        )
        return (classification + self.box_weight * regression.sum()) / count

    def _predict(self, maps):
        logits, boxes, centres = [], [], []
        for level in maps:
            height, width = level.shape[-2:]
            level = self.norm(level)
            y = (torch.arange(height, device=level.device) + 0.5) / height
            x = (torch.arange(width, device=level.device) + 0.5) / width
            centre = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).flatten(0, 1)
            reach = F.softplus(
                self.regress(level).flatten(2).transpose(1, 2).float() + 0.5
            )  # in cells of this level
            cell = reach.new_tensor([1 / width, 1 / height])
            boxes.append(
                torch.cat([centre - reach[..., :2] * cell, centre + reach[..., 2:] * cell], -1)
            )
            logits.append(self.classify(level).flatten(2).transpose(1, 2).float())
            centres.append(centre)
        return torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(centres)

    def _assign(self, logits, predicted, centres, true, classes, real):
        """Soft class goals (B S V), box weights (B S) and the object each cell belongs to (B S)."""
        overlap = batched_iou(true, predicted)
        score = torch.gather(
            logits.sigmoid().transpose(1, 2), 1, classes[..., None].expand(-1, -1, logits.shape[1])
        )
        inside = ((centres > true[:, :, None, :2]) & (centres < true[:, :, None, 2:])).all(
            -1
        ) & real[..., None]
        alignment = (score.clamp_min(1e-3) * overlap.clamp_min(1e-3) ** 4) * inside
        best = alignment.topk(min(self.cells, alignment.shape[-1]), -1)
        chosen = torch.zeros_like(inside).scatter(-1, best.indices, best.values > 0)
        alignment = alignment * chosen
        owner = alignment.argmax(1)
        mine = torch.zeros_like(chosen).scatter(1, owner[:, None], True) & chosen
        alignment = alignment * mine
        peak = alignment.amax(-1, keepdim=True).clamp_min(1e-9)
        quality = (overlap * mine).amax(-1, keepdim=True).clamp_min(0.1)
        weight = (alignment / peak * quality * mine).amax(1)
        goal = torch.zeros_like(logits)
        goal.scatter_(2, torch.gather(classes, 1, owner)[..., None], weight[..., None])
        return goal, weight, owner
