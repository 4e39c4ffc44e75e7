"""Training a detector: the first of the two stages, on the boxes of the HOI data set."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import box_convert

from rmlr_lightning.detectors.transformers import Detector
from rmlr_lightning.detectors.weights import save_network
from rmlr_lightning.ops.roi import to_canvas
from rmlr_lightning.tasks.optim import AdamWRecipe
from rmlr_lightning.types import Batch, BoxTarget
from rmlr_lightning.vocabulary import COCO_OBJECTS


class DetectionTask(LightningModule):
    """The set loss of the network's own family, and optionally dense supervision of its feature maps.

    Args:
        detector: not frozen.
        optim: optimiser and schedule.
        dense: one-to-many heads on the encoder's maps (`losses.dense`); None for none.
        dense_weight: its weight beside the set loss.
    """

    def __init__(
        self,
        detector: Detector,
        optim: AdamWRecipe,
        dense: nn.Module | None = None,
        dense_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.detector = detector.to(memory_format=torch.channels_last)
        self.optim = optim
        self.dense = dense
        self.dense_weight = dense_weight
        self.recipe: dict[str, Any] = {}  # the configuration, kept in checkpoints
        self.average_precision = MeanAveragePrecision(class_metrics=True, extended_summary=True)
        self.average_precision.warn_on_many_detections = False
        class_of = torch.full((len(COCO_OBJECTS),), -1)
        class_of[detector.labels[detector.labels >= 0]] = torch.nonzero(
            detector.labels >= 0
        ).flatten()
        self.register_buffer("class_of", class_of, persistent=False)

    def labels(self, targets: list[BoxTarget]) -> list[dict[str, Tensor]]:
        """Targets as the DETR family of transformers wants them: class indices and cxcywh boxes in [0, 1]."""
        labels = []
        for target in targets:
            classes = self.class_of[target.labels]
            keep = (classes >= 0) & ~target.crowd
            boxes = box_convert(
                target.boxes[keep] / target.size.flip(0).repeat(2), "xyxy", "cxcywh"
            )
            labels.append({"class_labels": classes[keep], "boxes": boxes})
        return labels

    def training_step(self, batch: Batch, index: int) -> Tensor:
        labels = self.labels(batch.targets)
        images = batch.inputs.images
        outputs = self.detector.read(images, labels)
        loss = outputs.loss
        self.log("train/loss_set", loss.detach(), batch_size=len(labels), prog_bar=True)
        if self.dense is not None:
            scales = to_canvas(images.mask)  # the cells of the maps are those of the canvas
            boxes = [
                box_convert(t["boxes"], "cxcywh", "xyxy") * s
                for t, s in zip(labels, scales, strict=True)
            ]
            maps = self.detector.maps(outputs.encoder_last_hidden_state, images.mask.shape[-2:])
            dense = self.dense(maps, boxes, [label["class_labels"] for label in labels])
            self.log("train/loss_dense", dense.detach(), batch_size=len(labels), prog_bar=True)
            loss = loss + self.dense_weight * dense
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        scene = self.detector(batch.inputs.images)
        found, true = [], []
        for image, target in enumerate(batch.targets):
            scale = target.size.flip(0).repeat(2)
            entities = scene.entities
            found.append(
                {
                    "boxes": entities.boxes[image] * scale,
                    "scores": entities.scores[image],
                    "labels": entities.labels[image],
                }
            )
            true.append(
                {"boxes": target.boxes, "labels": target.labels, "iscrowd": target.crowd.long()}
            )
        self.average_precision.update(found, true)

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        self._report("val")

    def on_test_epoch_end(self) -> None:
        self._report("test")

    def _report(self, split: str) -> None:
        values = self.average_precision.compute()
        self.average_precision.reset()
        self.log_dict(
            {
                f"{split}/ap": values["map"],
                f"{split}/ap50": values["map_50"],
                f"{split}/ap_small": values["map_small"],
            },
            prog_bar=True,
        )
        for index, label in enumerate(values["classes"].reshape(-1).tolist()):
            name = COCO_OBJECTS[label].replace(" ", "_")
            # precision (IoU thresholds, recalls, classes, areas, detection limits): 0.50, all areas, 100 detections
            at_half = values["precision"][0, :, index, 0, -1]
            self.log(f"{split}/ap_{name}", values["map_per_class"].reshape(-1)[index])
            self.log(f"{split}/ap50_{name}", at_half[at_half >= 0].mean())

    def configure_optimizers(self) -> dict:
        return self.optim(self, int(self.trainer.estimated_stepping_batches))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["recipe"] = self.recipe

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the detector as one self-contained safetensors file."""
        detector = self.detector
        reading = {
            "objects": [COCO_OBJECTS[index] for index in detector.labels.tolist()],
            "softmax": detector.softmax,
            "stride": detector.stride,
            "mean": detector.mean.flatten().tolist(),
            "std": detector.std.flatten().tolist(),
        }
        save_network(detector.network, path, reading | facts)
