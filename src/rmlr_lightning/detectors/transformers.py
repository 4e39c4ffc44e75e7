"""Detectors of transformers' DETR family: one wrapper that turns images into a Scene."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import box_convert
from transformers import PreTrainedModel

from rmlr_lightning.detectors.feature_maps import backbone_stages, captured
from rmlr_lightning.detectors.set_loss import run_with_loss
from rmlr_lightning.detectors.weights import (
    copy_backbone,
    load_network,
    network_from_config,
    network_from_hub,
    weights_hash,
)
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.roi import to_canvas
from rmlr_lightning.types import Entities, Images, Scene
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY, COCO_OBJECTS

# These networks use the padding mask: their boxes are relative to the image, and they were trained
# on normalised pixels. The RT-DETR line and D-FINE take neither a mask nor normalised pixels.
USES_PADDING_MASK = ("detr", "conditional_detr", "deformable_detr")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TransformersDetector(nn.Module):
    """A DETR-family network, and what is needed to interpret its outputs (`detectors.base`).

    Args:
        network: a `...ForObjectDetection` of transformers.
        classes: names of the network's classes, in its order; None for one that is never output.
        softmax: class scores are a softmax with a last "no object" class (DETR), not sigmoids.
        stride: pixels per cell of the encoder's finest feature map.
        mean, std: normalisation of pixels in [0, 1].
        frozen: weights get no gradient, and the module stays in evaluation mode whatever mode its
            parent is in.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        classes: Sequence[str | None],
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
        self.maps: tuple[str, ...] = ()  # see `detectors.base.GivesMaps`
        self.metadata: dict[str, Any] = {}  # of the weight file
        self.classes = tuple(classes)
        self.objects = tuple(name for name in self.classes if name is not None)
        # class of the network -> index into `objects`; -1 for a class without a name
        index = [-1 if name is None else self.objects.index(name) for name in self.classes]
        self.register_buffer("class_to_object", torch.tensor(index), persistent=False)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        if frozen:
            self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | Path, frozen: bool = True) -> "TransformersDetector":
        """A detector from one of our own weight files (`detectors.weights.save_network`).

        Raises:
            UserError: no such file, or not one of our weight files.
        """
        network, metadata = load_network(Path(path))
        detector = cls(
            network,
            metadata["objects"],
            softmax=metadata["softmax"],
            stride=metadata["stride"],
            mean=metadata["mean"],
            std=metadata["std"],
            frozen=frozen,
        )
        detector.metadata = metadata
        return detector

    @classmethod
    def from_hub(
        cls, name: str, softmax: bool, stride: int = 32, frozen: bool = True, **options: Any
    ) -> "TransformersDetector":
        """A COCO detector by hub id or local folder; `options` go to `from_pretrained`.

        Raises:
            UserError: it cannot be loaded, has other classes than COCO's, or `softmax` is wrong.
        """
        network = network_from_hub(name, **options)
        model_type = network.config.model_type

        classes = len(network.config.id2label)
        if classes == 80:  # the RT-DETR line numbers COCO's classes 0..79
            names = list(COCO_OBJECTS)
        elif classes in (91, 92):  # DETR uses COCO's category ids, which have gaps
            index = [COCO_INDEX_OF_CATEGORY.get(category) for category in range(classes)]
            names = [None if i is None else COCO_OBJECTS[i] for i in index]
        else:
            raise UserError(
                f"detector {name!r} has {classes} classes; "
                "only COCO's 80, or its 91 category ids, are supported"
            )

        # Only DETR scores classes by a softmax; the others of the family use sigmoids.
        expected = model_type == "detr"
        if softmax != expected:
            raise UserError(
                f"detector {name!r} is a {model_type}: "
                f"give model.detector.softmax={str(expected).lower()}"
            )
        normalisation = {}
        if model_type in USES_PADDING_MASK:
            normalisation = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
        return cls(network, names, softmax, stride, frozen=frozen, **normalisation)

    @classmethod
    def from_config(
        cls,
        model_type: str,
        objects: Sequence[str],
        softmax: bool = False,
        stride: int = 8,
        frozen: bool = False,
        backbone_weights: str | Path | None = None,
        **config: Any,
    ) -> "TransformersDetector":
        """A randomly initialised detector, to be trained by the detection task.

        Args:
            model_type: one of `detectors.weights.FAMILY`.
            objects: names of its classes, in the network's order.
            backbone_weights: one of our weight files with a backbone of the same layers, copied.
            config: options of the transformers configuration of `model_type`.

        Raises:
            UserError: another model type, or a backbone of other layers.
        """
        network = network_from_config(model_type, num_labels=len(objects), **config)
        if backbone_weights is not None:
            copy_backbone(Path(backbone_weights), network)
        return cls(network, objects, softmax, stride, frozen=frozen)

    @property
    def token_dim(self) -> int:
        """Width of an entity's token."""
        return self.network.config.d_model

    @property
    def memory_dim(self) -> int:
        """Channels of the memory."""
        return getattr(self.network.config, "encoder_hidden_dim", self.network.config.d_model)

    @property
    def num_queries(self) -> int:
        """Entities per image, before any selection."""
        config = self.network.config
        # With two stages Deformable DETR replaces its queries by the encoder's proposals.
        if getattr(config, "two_stage", False):
            return config.two_stage_num_proposals
        return config.num_queries

    @property
    def map_dims(self) -> dict[str, int]:
        """Channels of the maps of its backbone."""
        return {name: stage.dim for name, stage in backbone_stages(self.network).items()}

    @property
    def map_strides(self) -> dict[str, int]:
        """Pixels per cell of the maps of its backbone."""
        return {name: stage.stride for name, stage in backbone_stages(self.network).items()}

    @property
    def boxes_relative_to_canvas(self) -> bool:
        """Whether the network's boxes are relative to the padded canvas, not to the image."""
        return self.network.config.model_type not in USES_PADDING_MASK

    def fingerprint(self) -> dict[str, Any]:
        """All that determines the outputs besides the images; "weights" is a SHA-256 hash."""
        maps = {"maps": list(self.maps)} if self.maps else {}
        return maps | {
            "weights": weights_hash(self.network),
            "network": self.network.config.model_type,
            "num_queries": self.num_queries,
            "softmax": self.softmax,
            "stride": self.stride,
            "mean": [round(value, 6) for value in self.mean.flatten().tolist()],
            "std": [round(value, 6) for value in self.std.flatten().tolist()],
            "classes": ", ".join(name or "-" for name in self.classes),
        }

    def train(self, mode: bool = True) -> "TransformersDetector":
        """Set the mode; a frozen detector stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def forward(self, images: Images) -> Scene:
        """Run the network and name its outputs.

        A frozen detector runs in float32 also under autocast: bfloat16 leaves boxes three digits.
        """
        device = images.pixels.device.type
        autocast = torch.is_autocast_enabled(device) and not self.frozen
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            stages = backbone_stages(self.network) if self.maps else {}
            modules = {name: stages[name].module for name in self.maps}
            with torch.autocast(device, enabled=autocast), captured(modules) as maps:
                outputs = self.run_network(images)
            return self.to_scene(outputs, images)._replace(maps=maps)

    def run_network(self, images: Images, labels: list[dict[str, Tensor]] | None = None) -> Any:
        """The network's own outputs, and with `labels` also its loss.

        Args:
            labels: per image "class_labels" "G" (the network's classes) and "boxes" "G 4" (cxcywh,
                relative to the image), as transformers expects them.
        """
        pixels = (images.pixels - self.mean) / self.std * images.mask[:, None]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        if labels is not None and self.boxes_relative_to_canvas:
            scales = to_canvas(images.mask)
            labels = [
                {**label, "boxes": label["boxes"] * scale}
                for label, scale in zip(labels, scales, strict=True)
            ]
        mask = images.mask.long()
        if labels is None:
            return self.network(pixel_values=pixels, pixel_mask=mask)
        return run_with_loss(self.network, pixels, mask, labels)

    def to_scene(self, outputs: Any, images: Images) -> Scene:
        """Class scores, boxes, tokens and image features of all queries, before any selection."""
        logits = outputs.logits.float()
        if self.softmax:
            probabilities = logits.softmax(-1)[..., :-1]
        else:
            probabilities = logits.sigmoid()
        probabilities = probabilities * (self.class_to_object >= 0)
        scores, classes = probabilities.max(-1)

        boxes = box_convert(outputs.pred_boxes.float(), "cxcywh", "xyxy")
        if self.boxes_relative_to_canvas:
            boxes = boxes / to_canvas(images.mask)[:, None].clamp_min(1e-6)
        entities = Entities(
            boxes=boxes,
            scores=scores,
            labels=self.class_to_object[classes].clamp_min(0),
            tokens=outputs.last_hidden_state,
            mask=torch.ones_like(scores, dtype=torch.bool),
        )

        canvas = images.mask.shape[-2:]
        memory = self.feature_maps(outputs.encoder_last_hidden_state, canvas)[0]
        return Scene(entities, memory, _resize(images.mask, memory.shape[-2:]), images.sizes)

    def feature_maps(
        self, features: Tensor | Sequence[Tensor], canvas: Sequence[int]
    ) -> list[Float[Tensor, "B C _ _"]]:
        """The encoder's feature maps, finest first.

        Args:
            features: the encoder's output. RT-DETR and D-FINE return a list of maps; the DETR line
                flattens its levels into "B S C", each of half the resolution of the one before.
            canvas: (height, width) of the padded images, in pixels.
        """
        if isinstance(features, (list, tuple)):
            return list(features)
        maps = []
        start, stride = 0, self.stride
        while start < features.shape[1]:
            height, width = (-(-side // stride) for side in canvas)  # rounded up
            level = features[:, start : start + height * width]
            maps.append(level.transpose(1, 2).unflatten(2, (height, width)))
            start += height * width
            stride *= 2
        return maps


def _resize(mask: Bool[Tensor, "B H W"], size: Sequence[int]) -> Bool[Tensor, "B h w"]:
    return F.interpolate(mask[:, None].float(), size=tuple(size), mode="nearest")[:, 0] > 0.5
