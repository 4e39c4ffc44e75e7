"""Training of a detector, the first of the two stages, on the boxes of the HOI data set."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor, nn
from torchvision.ops import box_convert

from rmlr_lightning.detectors.checkpoint_file import shortened
from rmlr_lightning.detectors.class_head import replace_classes
from rmlr_lightning.detectors.feature_maps import encoder_outputs
from rmlr_lightning.detectors.fine_tuning import freeze_stem, freeze_unused, set_dropout
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import is_own_file, save_network
from rmlr_lightning.errors import SharedError, UserError
from rmlr_lightning.files import check_writable
from rmlr_lightning.metrics.box_average_precision import BoxAveragePrecision
from rmlr_lightning.ops.boxes import to_pixels
from rmlr_lightning.ops.finite import finite_scenes
from rmlr_lightning.ops.object_classes import class_index
from rmlr_lightning.ops.roi import to_canvas
from rmlr_lightning.ops.selection import inside_image
from rmlr_lightning.tasks.finite import over_processes
from rmlr_lightning.tasks.metrics import first_of
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.tasks.training import FiniteTraining
from rmlr_lightning.types import Batch, BoxTarget, Images


class DetectionTask(FiniteTraining):
    """The network's own set loss, and optionally dense supervision of its feature maps.

    Args:
        detector: not frozen.
        optim: optimiser and schedule.
        objects: names of the data set's object classes.
        classes: "data" gives the detector these classes; rows of its head whose class has the same
            name keep their weights. "detector" keeps its own: others are not learned.
        fine_tune: train as DETR's authors do: stem and first stage of the backbone frozen.
        dropout: probability in DETR's transformer; None leaves the network as it is.
        dense: makes the loss of one-to-many heads on the encoder's feature maps (`losses.dense`)
            from `dim` and `classes`.
        dense_weight: its weight; that of the set loss is 1.
        half_precision: store the exported matrices in float16.
        not_finite, max_skipped: what happens at a step whose loss or gradient is not finite; see
            `tasks.finite.FiniteSteps`.

    Raises:
        UserError: a frozen detector, or another choice of classes.
    """

    def __init__(
        self,
        detector: TransformersDetector,
        optim: ScheduledAdamW,
        objects: Sequence[str],
        classes: str = "detector",
        fine_tune: bool = False,
        dropout: float | None = None,
        dense: Callable[..., nn.Module] | None = None,
        dense_weight: float = 1.0,
        half_precision: bool = False,
        not_finite: str = "stop",
        max_skipped: int = 10,
    ) -> None:
        super().__init__(not_finite, max_skipped)
        if detector.frozen:
            raise UserError("task=detection trains a detector: give model.detector.frozen=false")
        if classes not in ("data", "detector"):
            raise UserError(f"task.module.classes={classes}: choose data or detector")
        if classes == "data":
            detector = _with_classes(detector, objects)
        freeze_unused(detector.network)
        if fine_tune:
            freeze_stem(detector.network)
        if dropout is not None:
            set_dropout(detector.network, dropout)

        # transformers gives pretrained networks in evaluation mode, and Lightning keeps that
        self.detector = detector.to(memory_format=torch.channels_last).train()
        self.optim = optim
        self.dense = None
        if dense is not None:
            self.dense = dense(dim=detector.memory_dim, classes=len(detector.classes))
        self.dense_weight = dense_weight
        self.half_precision = half_precision
        self.not_finite: list[str] = []  # names of evaluated images
        self.metrics = nn.ModuleDict(
            {split: BoxAveragePrecision(objects, split) for split in ("val", "test")}
        )

        # the data set's classes and the network's, by name; -1 where the other has none
        of_network = {name: index for index, name in enumerate(detector.classes)}
        to_class = torch.tensor([of_network.get(name, -1) for name in objects])
        _note_missing(objects, to_class)
        to_object = class_index(detector.objects, objects)
        self.register_buffer("object_to_class", to_class, persistent=False)
        self.register_buffer("detected_to_object", to_object, persistent=False)

    def network_labels(self, targets: list[BoxTarget]) -> list[dict[str, Tensor]]:
        """Targets as transformers expects them: the network's classes, cxcywh boxes in [0, 1].

        Boxes are cut at the image's edge, as DETR does. Crowd regions, objects of other classes and
        boxes outside of the image are left out.
        """
        labels = []
        for target in targets:
            classes = self.object_to_class[target.labels]
            keep = (classes >= 0) & ~target.crowd
            boxes = (target.boxes / to_pixels(target.size)).clamp(0, 1)
            keep &= (boxes[:, 2:] > boxes[:, :2]).all(1)
            boxes = box_convert(boxes[keep].float(), "xyxy", "cxcywh")
            labels.append({"class_labels": classes[keep], "boxes": boxes})
        return labels

    def training_step(self, batch: Batch, index: int) -> Tensor:
        images = self.detector.padded(batch.inputs.images)
        labels = self.network_labels(batch.boxes)

        outputs = self.detector.run_network(images, labels)
        loss = outputs.loss
        self.watch.add_images(batch.image_ids)
        terms = {"set": loss}
        self.log("train/loss_set", loss.detach(), batch_size=len(labels), prog_bar=True)

        if self.dense is not None:
            dense = self._dense_loss(encoder_outputs(outputs), images, labels)
            terms["dense"] = dense
            self.log("train/loss_dense", dense.detach(), batch_size=len(labels), prog_bar=True)
            loss = loss + self.dense_weight * dense
        self.watch.add_terms(list(terms), torch.stack(list(terms.values())))
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

    def _detected_and_true(self, batch: Batch) -> tuple[list[dict], list[dict]]:
        """Boxes in pixels of the file, as torchmetrics expects them."""
        scene = self.detector(batch.inputs.images)
        finite = finite_scenes(scene).tolist()
        self.not_finite += [
            box.file_name for box, ok in zip(batch.boxes, finite, strict=True) if not ok
        ]
        entities = inside_image(scene.entities)
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
            # copies, because the metric keeps them: a tensor of a loading process holds a file open
            truth.append(
                {
                    "boxes": target.boxes.clone(),
                    "labels": target.labels.clone(),
                    "iscrowd": target.crowd.long(),
                }
            )
        return detections, truth

    def validation_step(self, batch: Batch, index: int) -> None:
        self.metrics["val"].update(*self._detected_and_true(batch))

    def test_step(self, batch: Batch, index: int) -> None:
        self.metrics["test"].update(*self._detected_and_true(batch))

    def on_validation_epoch_end(self) -> None:
        self._log_average_precision("val")

    def on_test_epoch_end(self) -> None:
        self._log_average_precision("test")

    def _log_average_precision(self, split: str) -> None:
        # on all processes, because one that stops alone leaves the others waiting
        (names,) = over_processes((self.not_finite,))
        self.not_finite = []
        if names:
            raise SharedError(
                f"{first_of(names)}: the detector's outputs are NaN or infinite; lower optim.lr, "
                "or use trainer.precision=32-true"
            )
        values = self.metrics[split].compute()
        self.metrics[split].reset()
        shown = {key: values.pop(key) for key in (f"{split}/ap", f"{split}/ap50")}
        # the values are equal on all processes already; sync_dist only satisfies Lightning
        self.log_dict(shown, prog_bar=True, sync_dist=True)
        self.log_dict(values, sync_dist=True)

    def configure_optimizers(self) -> dict:
        return self.optim(self, int(self.trainer.estimated_stepping_batches))

    def check_export(self, path: Path, metadata: dict[str, Any], replace: bool = False) -> None:
        """Find before the training what would stop `export` after it.

        Args:
            replace: a detector that an earlier export wrote there may be replaced, as in a run that
                resumes.

        Raises:
            UserError: the file cannot be written, or exists.
        """
        if path.is_file() and not (replace and is_own_file(path)):
            raise UserError(f"export={path}: exists; name another file, or remove it")
        json.dumps(self.detector.interpretation() | metadata)
        check_writable(path)

    def export(self, path: Path, metadata: dict[str, Any]) -> None:
        """Write the detector as one self-contained safetensors file.

        Args:
            metadata: how it was trained, to keep in the file; plain JSON values.

        Raises:
            UserError: the file cannot be written.
        """
        dtype = torch.float16 if self.half_precision else torch.float32
        save_network(self.detector.network, path, self.detector.interpretation() | metadata, dtype)


def _note_missing(objects: Sequence[str], to_class: Tensor) -> None:
    """Print which of the data set's classes are left out.

    Raises:
        UserError: all of them.
    """
    missing = [name for name, row in zip(objects, to_class.tolist(), strict=True) if row < 0]
    if not missing:
        return
    line = (
        f"the detector has no class for {len(missing)} of the data set's {len(objects)} object "
        f"classes ({shortened(missing)})"
    )
    way_out = "task.module.classes=data gives it those of the data set"
    if len(missing) == len(objects):
        raise UserError(f"{line}, so there is nothing to learn; {way_out}")
    rank_zero_only(print)(f"note: {line}: they are not learned; {way_out}")


def _with_classes(detector: TransformersDetector, objects: Sequence[str]) -> TransformersDetector:
    """The detector with the data set's classes; prints how many keep their weights."""
    if tuple(detector.classes) == tuple(objects):
        return detector
    kept = replace_classes(detector.network, detector.classes, objects)
    new = [name for name in objects if name not in detector.objects]
    line = f"detector: {kept} of {len(objects)} classes keep their weights"
    if new:
        line += f", new: {', '.join(new[:5])}" + (", ..." if len(new) > 5 else "")
    rank_zero_only(print)(line)
    return TransformersDetector(
        detector.network,
        objects,
        mean=detector.mean.flatten().tolist(),
        std=detector.std.flatten().tolist(),
        frozen=detector.frozen,
    )
