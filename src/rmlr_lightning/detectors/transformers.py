"""The detector: one wrapper over the DETR family that turns images into a Scene."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import box_convert
from transformers import PreTrainedModel

from rmlr_lightning.detectors.weights import (
    copy_trunk,
    fresh_network,
    load_network,
    pretrained_network,
    weights_hash,
)
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.roi import to_canvas
from rmlr_lightning.types import Entities, Images, Scene
from rmlr_lightning.vocabulary import COCO_INDEX, COCO_INDEX_OF_CATEGORY

KNOW_PADDING = (
    "detr",
    "conditional_detr",
    "deformable_detr",
)  # their boxes are relative to the picture
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Detector(nn.Module):
    """A DETR-family network and what is needed to read it.

    Args:
        network: a `...ForObjectDetection` of transformers.
        labels: for each of the network's classes its COCO index 0..79, or -1 for a class to ignore.
        softmax: the class scores are a softmax with a last "no object" class (DETR), not sigmoids.
        stride: of the finest level among the encoder's features; used where these come flattened.
        mean, std: normalisation of pixels in [0, 1].
        frozen: weights get no gradient and the module stays in evaluation mode whatever its parent does.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        labels: Sequence[int],
        softmax: bool = False,
        stride: int = 32,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        frozen: bool = True,
    ) -> None:
        super().__init__()
        self.network = network
        self.softmax = softmax
        self.stride = stride
        self.frozen = frozen
        self.facts: dict[str, Any] = {}
        self.register_buffer("labels", torch.tensor(labels), persistent=False)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        if frozen:
            self.requires_grad_(False).eval()

    @property
    def token_dim(self) -> int:
        """Width of an entity's token."""
        return self.network.config.d_model

    @property
    def memory_dim(self) -> int:
        """Channels of the memory."""
        return getattr(self.network.config, "encoder_hidden_dim", self.network.config.d_model)

    @property
    def knows_padding(self) -> bool:
        """Whether the network's boxes are relative to the picture, not to a canvas with padding at its end."""
        return self.network.config.model_type in KNOW_PADDING

    @property
    def hash(self) -> str:
        """sha256 of the network's weights."""
        return weights_hash(self.network)

    @classmethod
    def from_file(cls, path: str | Path, frozen: bool = True) -> "Detector":
        """A detector from one of our own weight files (`models.network.save_network`)."""
        network, facts = load_network(Path(path))
        reading = {key: facts[key] for key in ("softmax", "stride", "mean", "std")}
        detector = cls(
            network, [COCO_INDEX[name] for name in facts["objects"]], frozen=frozen, **reading
        )
        detector.facts = facts
        return detector

    @classmethod
    def from_hub(
        cls, name: str, softmax: bool, stride: int = 32, frozen: bool = True, **options: Any
    ) -> "Detector":
        """A COCO detector of transformers by hub id or folder; its classes are COCO category ids."""
        network = pretrained_network(name, **options)
        names = network.config.id2label
        if len(names) == 80:  # the RT-DETR line counts 0..79
            labels = list(range(80))
        elif len(names) in (91, 92):  # DETR counts by category id, 0..90
            labels = [COCO_INDEX_OF_CATEGORY.get(category, -1) for category in range(len(names))]
        else:
            raise UserError(
                f"detector {name!r} knows {len(names)} classes; only COCO's 80, or its 91 category ids, can be read"
            )
        right = (
            network.config.model_type == "detr"
        )  # the others of the family score classes by sigmoids
        if softmax != right:
            raise UserError(
                f"detector {name!r} is a {network.config.model_type}: give model.detector.softmax={str(right).lower()}"
            )
        statistics = (
            {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
            if network.config.model_type in KNOW_PADDING
            else {}
        )
        return cls(network, labels, softmax, stride, frozen=frozen, **statistics)

    @classmethod
    def fresh(
        cls,
        model_type: str,
        objects: Sequence[str],
        softmax: bool = False,
        stride: int = 8,
        frozen: bool = False,
        trunk: str | Path | None = None,
        **config: Any,
    ) -> "Detector":
        """A randomly initialised detector of the named object classes, to be trained by the detection task.

        `trunk` is one of our weight files with a backbone of the same shape to start from.
        """
        network = fresh_network(model_type, num_labels=len(objects), **config)
        if trunk is not None:
            copy_trunk(Path(trunk), network)
        return cls(network, [COCO_INDEX[name] for name in objects], softmax, stride, frozen=frozen)

    def train(self, mode: bool = True) -> "Detector":
        """A frozen detector stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def read(self, images: Images, labels: list[dict[str, Tensor]] | None = None):
        """The network's own outputs; with `labels` (transformers' format, boxes relative to the picture) also its loss.

        The RT-DETR line and D-FINE know no padding: what they say and learn is relative to the canvas.
        """
        pixels = (images.pixels - self.mean) / self.std * images.mask[:, None]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        if labels is not None and not self.knows_padding:
            scales = to_canvas(images.mask)
            labels = [
                {**label, "boxes": label["boxes"] * scale}
                for label, scale in zip(labels, scales, strict=True)
            ]
        return self.network(pixel_values=pixels, pixel_mask=images.mask.long(), labels=labels)

    def forward(self, images: Images) -> Scene:
        """Run the network and name its outputs; frozen in float32, for bfloat16 gives boxes to three digits."""
        half = torch.is_autocast_enabled(images.pixels.device.type) and not self.frozen
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            with torch.autocast(images.pixels.device.type, enabled=half):
                outputs = self.read(images)
            return self.scene(outputs, images)

    def scene(self, outputs: Any, images: Images) -> Scene:
        """Class scores, boxes, tokens and image features of all queries, before any selection."""
        if self.softmax:
            probabilities = outputs.logits.float().softmax(-1)[..., :-1]
        else:
            probabilities = outputs.logits.float().sigmoid()
        probabilities = probabilities * (self.labels >= 0)
        scores, classes = probabilities.max(-1)
        boxes = box_convert(outputs.pred_boxes.float(), "cxcywh", "xyxy")
        if not self.knows_padding:
            boxes = boxes / to_canvas(images.mask)[:, None].clamp_min(1e-6)
        boxes = boxes.clamp(0, 1)
        entities = Entities(
            boxes,
            scores,
            self.labels[classes],
            outputs.last_hidden_state,
            torch.ones_like(scores, dtype=torch.bool),
        )
        memory = self.maps(outputs.encoder_last_hidden_state, images.mask.shape[-2:])[0]
        return Scene(entities, memory, _shrink(images.mask, memory.shape[-2:]), images.sizes)

    def maps(self, features: Any, extent: Sequence[int]) -> list[Float[Tensor, "B C _ _"]]:
        """The encoder's feature maps of pictures of this (height, width), finest first.

        RT-DETR and D-FINE give a list; the DETR line flattens its levels, each half as fine as the one before.
        """
        if isinstance(features, (list, tuple)):
            return list(features)
        maps, start, stride = [], 0, self.stride
        while start < features.shape[1]:
            height, width = (-(-side // stride) for side in extent)
            level = features[:, start : start + height * width]
            maps.append(level.transpose(1, 2).unflatten(2, (height, width)))
            start, stride = start + height * width, 2 * stride
        return maps


def _shrink(mask: Bool[Tensor, "B H W"], size: Sequence[int]) -> Bool[Tensor, "B h w"]:
    return F.interpolate(mask[:, None].float(), size=tuple(size), mode="nearest")[:, 0] > 0.5
