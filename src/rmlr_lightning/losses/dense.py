"""Dense supervision of the detector's feature maps: many cells learn from one object.

DETR's one-to-one matching gives only a few queries per image an object to learn from, so a detector
trained from scratch learns slowly. As in Co-DETR (arXiv 2211.12860) an auxiliary one-to-many head
on the encoder's feature maps, used in training only, teaches backbone and encoder much faster.
Cells are assigned to objects by task alignment (TOOD, arXiv 2108.07755).

Letters in shapes: S cells of all maps, K object classes, G objects per image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torchvision.ops import generalized_box_iou_loss

from rmlr_lightning.ops.boxes import batched_iou


class Objects(NamedTuple):
    """The true objects of a batch, padded."""

    boxes: Float[Tensor, "B G 4"]  # xyxy in [0, 1]
    classes: Int[Tensor, "B G"]
    mask: Bool[Tensor, "B G"]


class CellPredictions(NamedTuple):
    """What the heads predict in the cells of all maps."""

    logits: Float[Tensor, "B S K"]
    boxes: Float[Tensor, "B S 4"]  # xyxy in [0, 1]
    centres: Float[Tensor, "S 2"]  # (x, y) in [0, 1]


class Assignment(NamedTuple):
    """What each cell learns."""

    class_targets: Float[Tensor, "B S K"]  # soft: 0 in cells without object
    box_weights: Float[Tensor, "B S"]  # 0 in cells without object
    object_index: Int[Tensor, "B S"]  # only meaningful in cells with an object


class DenseSupervision(nn.Module):
    """Class and box heads on the encoder's feature maps, with their loss.

    Args:
        dim: channels of the maps.
        classes: number of object classes.
        cells: number of cells that learn from one object.
        box_weight: weight of the box loss; that of the class loss is 1.
    """

    def __init__(self, dim: int, classes: int, cells: int = 8, box_weight: float = 2.0) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, dim)
        self.classify = nn.Conv2d(dim, classes, 1)
        self.regress = nn.Conv2d(dim, 4, 1)
        nn.init.constant_(self.classify.bias, -4.6)  # initial probability of a class: 0.01
        self.cells = cells
        self.box_weight = box_weight

    def forward(
        self,
        maps: Sequence[Float[Tensor, "B C _ _"]],
        boxes: list[Float[Tensor, "_ 4"]],
        labels: list[Int[Tensor, "_"]],
    ) -> Float[Tensor, ""]:
        """Loss of a batch.

        Args:
            boxes: per image, xyxy in [0, 1].
            labels: per image, the class of each box.
        """
        objects = _pad(boxes, labels)
        predictions = self._predict(maps)
        assignment = self._assign(predictions, objects)
        count = assignment.class_targets.sum().clamp_min(1)

        # Quality focal loss: cells without object count less the lower their score already is.
        scores = predictions.logits.sigmoid().detach()
        focus = torch.where(assignment.class_targets > 0, 1.0, 0.75 * scores**2)
        class_loss = F.binary_cross_entropy_with_logits(
            predictions.logits, assignment.class_targets, reduction="none"
        )
        class_loss = (class_loss * focus).sum()

        assigned = assignment.box_weights > 0
        index = assignment.object_index[..., None].expand(-1, -1, 4)
        true_boxes = torch.gather(objects.boxes, 1, index)
        box_loss = generalized_box_iou_loss(
            predictions.boxes[assigned], true_boxes[assigned], reduction="none"
        )
        box_loss = (box_loss * assignment.box_weights[assigned]).sum()
        return (class_loss + self.box_weight * box_loss) / count

    def _predict(self, maps: Sequence[Float[Tensor, "B C _ _"]]) -> CellPredictions:
        logits, boxes, centres = [], [], []
        for level in maps:
            height, width = level.shape[-2:]
            y = (torch.arange(height, device=level.device) + 0.5) / height
            x = (torch.arange(width, device=level.device) + 0.5) / width
            centre = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).flatten(0, 1)

            # Distances from the cell's centre to the four sides, in cells of this level.
            level = self.norm(level)
            raw = self.regress(level).flatten(2).transpose(1, 2).float()
            distances = F.softplus(raw + 0.5)

            cell = distances.new_tensor([1 / width, 1 / height])
            corner_1 = centre - distances[..., :2] * cell
            corner_2 = centre + distances[..., 2:] * cell
            boxes.append(torch.cat([corner_1, corner_2], -1))
            logits.append(self.classify(level).flatten(2).transpose(1, 2).float())
            centres.append(centre)
        return CellPredictions(torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(centres))

    @torch.no_grad()
    def _assign(self, predictions: CellPredictions, objects: Objects) -> Assignment:
        """Assign the best aligned cells inside each box to its object; a cell has one object."""
        logits, boxes, centres = predictions
        overlaps = batched_iou(objects.boxes, boxes)

        # How well each cell predicts each object, "B G S": score of its class times IoU ** 4.
        classes = objects.classes[..., None].expand(-1, -1, logits.shape[1])
        scores = torch.gather(logits.sigmoid().transpose(1, 2), 1, classes)
        after_start = (centres > objects.boxes[:, :, None, :2]).all(-1)
        before_end = (centres < objects.boxes[:, :, None, 2:]).all(-1)
        candidates = after_start & before_end & objects.mask[..., None]
        alignment = scores.clamp_min(1e-3) * overlaps.clamp_min(1e-3) ** 4 * candidates

        # Each object takes its best cells; a cell that several take goes to the best aligned one.
        best = alignment.topk(min(self.cells, alignment.shape[-1]), -1)
        taken = torch.zeros_like(candidates).scatter(-1, best.indices, best.values > 0)
        alignment = alignment * taken
        object_index = alignment.argmax(1)
        assigned = torch.zeros_like(taken).scatter(1, object_index[:, None], True) & taken
        alignment = alignment * assigned

        # Soft targets: relative to the object's best cell, which gets the object's best IoU.
        peak = alignment.amax(-1, keepdim=True).clamp_min(1e-9)
        quality = (overlaps * assigned).amax(-1, keepdim=True).clamp_min(0.1)
        weights = (alignment / peak * quality * assigned).amax(1)

        class_index = torch.gather(objects.classes, 1, object_index)
        targets = torch.zeros_like(logits)
        targets.scatter_(2, class_index[..., None], weights[..., None])
        return Assignment(targets, weights, object_index)


def _pad(boxes: list[Float[Tensor, "_ 4"]], labels: list[Int[Tensor, "_"]]) -> Objects:
    """Pad ragged objects; at least one row, because assignment takes a maximum over the objects."""
    padded_boxes = pad_sequence(boxes, batch_first=True)
    classes = pad_sequence(labels, batch_first=True)
    mask = pad_sequence([torch.ones_like(label, dtype=torch.bool) for label in labels], True)
    if classes.shape[1] == 0:
        padded_boxes = F.pad(padded_boxes, (0, 0, 0, 1))
        classes, mask = F.pad(classes, (0, 1)), F.pad(mask, (0, 1))
    return Objects(padded_boxes, classes, mask)
