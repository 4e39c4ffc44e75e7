"""Training of a detector, the first of the two stages, on the boxes of the HOI data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import box_convert

from rmlr_lightning.detectors.feature_maps import encoder_outputs
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import save_network
from rmlr_lightning.models.checkpoint import CHECKPOINT_FORMAT
from rmlr_lightning.ops.boxes import to_pixels
from rmlr_lightning.ops.object_classes import class_index
from rmlr_lightning.ops.roi import to_canvas
from rmlr_lightning.ops.selection import inside_image
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.types import Batch, BoxTarget, Images
from rmlr_lightning.vocabulary import COCO_OBJECTS


class DetectionTask(LightningModule):
    """The network's own set loss, and optionally dense supervision of its feature maps.

    Args:
        detector: not frozen.
        optim: optimiser and schedule.
        dense: loss of one-to-many heads on the encoder's feature maps (`losses.dense`).
        dense_weight: its weight; that of the set loss is 1.
        objects: names of the data set's object classes.
    """

    def __init__(
        self,
        detector: TransformersDetector,
        optim: ScheduledAdamW,
        dense: nn.Module | None = None,
        dense_weight: float = 1.0,
        objects: Sequence[str] = COCO_OBJECTS,
    ) -> None:
        super().__init__()
        self.detector = detector.to(memory_format=torch.channels_last)
        self.optim = optim
        self.dense = dense
        self.dense_weight = dense_weight
        self.objects = tuple(objects)
        self.run_config: dict[str, Any] = {}  # of the run; kept in checkpoints
        self.average_precision = MeanAveragePrecision(class_metrics=True, extended_summary=True)
        self.average_precision.warn_on_many_detections = False

        # the data set's classes and the network's, by name; -1 where the other has none
        classes = {name: index for index, name in enumerate(detector.classes)}
        to_class = torch.tensor([classes.get(name, -1) for name in objects])
        to_object = class_index(detector.objects, objects)
        self.register_buffer("object_to_class", to_class, persistent=False)
        self.register_buffer("detected_to_object", to_object, persistent=False)

    def network_labels(self, targets: list[BoxTarget]) -> list[dict[str, Tensor]]:
        """Targets as transformers expects them: the network's classes, cxcywh boxes in [0, 1].

        Crowd regions and objects of other classes are left out.
        """
        labels = []
        for target in targets:
            classes = self.object_to_class[target.labels]
            keep = (classes >= 0) & ~target.crowd
            boxes = target.boxes[keep] / to_pixels(target.size)
            labels.append(
                {"class_labels": classes[keep], "boxes": box_convert(boxes, "xyxy", "cxcywh")}
            )
        return labels

    def training_step(self, batch: Batch, index: int) -> Tensor:
        images = batch.inputs.images
        labels = self.network_labels(batch.boxes)

        outputs = self.detector.run_network(images, labels)
        loss = outputs.loss
        self.log("train/loss_set", loss.detach(), batch_size=len(labels), prog_bar=True)

        if self.dense is not None:
            dense = self._dense_loss(encoder_outputs(outputs), images, labels)
            self.log("train/loss_dense", dense.detach(), batch_size=len(labels), prog_bar=True)
            loss = loss + self.dense_weight * dense
        return loss

    def _dense_loss(self, features: Any, images: Images, labels: list[dict[str, Tensor]]) -> Tensor:
        maps = self.detector.feature_maps(features, images.mask.shape[-2:])

        # The feature maps cover the canvas with its padding, so boxes become relative to it.
        scales = to_canvas(images.mask)
        boxes = [
            box_convert(label["boxes"], "cxcywh", "xyxy") * scale
            for label, scale in zip(labels, scales, strict=True)
        ]
        return self.dense(maps, boxes, [label["class_labels"] for label in labels])

    def validation_step(self, batch: Batch, index: int) -> None:
        entities = inside_image(self.detector(batch.inputs.images).entities)
        detections, truth = [], []
        labels = self.detected_to_object[entities.labels]
        for image, target in enumerate(batch.boxes):
            known = labels[image] >= 0
            detections.append(
                {
                    "boxes": entities.boxes[image, known] * to_pixels(target.size),
                    "scores": entities.scores[image, known],
                    "labels": labels[image, known],
                }
            )
            truth.append(
                {"boxes": target.boxes, "labels": target.labels, "iscrowd": target.crowd.long()}
            )
        self.average_precision.update(detections, truth)

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        self._log_average_precision("val")

    def on_test_epoch_end(self) -> None:
        self._log_average_precision("test")

    def _log_average_precision(self, split: str) -> None:
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
        # Axes of "precision": IoU thresholds, recalls, classes, areas, detection limits. These are
        # IoU 0.50, all areas, 100 detections.
        at_half = values["precision"][0, :, :, 0, -1]
        per_class = values["map_per_class"].reshape(-1)
        for index, label in enumerate(values["classes"].reshape(-1).tolist()):
            name = self.objects[label].replace(" ", "_")
            precision = at_half[:, index]
            self.log(f"{split}/ap_{name}", per_class[index])
            self.log(f"{split}/ap50_{name}", precision[precision >= 0].mean())

    def configure_optimizers(self) -> dict:
        return self.optim(self, int(self.trainer.estimated_stepping_batches))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["format"] = CHECKPOINT_FORMAT
        checkpoint["config"] = self.run_config

    def export(self, path: Path, metadata: dict[str, Any]) -> None:
        """Write the detector as one self-contained safetensors file.

        Args:
            metadata: how it was trained, to keep in the file; plain JSON values.

        Raises:
            UserError: the file cannot be written.
        """
        save_network(self.detector.network, path, self.detector.interpretation() | metadata)
