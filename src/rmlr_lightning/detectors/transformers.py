"""Detectors of transformers' DETR family: one wrapper that turns images into a Scene."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import box_convert
from transformers import PreTrainedModel

from rmlr_lightning.detectors.class_names import (
    checked,
    chosen_classes,
    classes_of_labels,
)
from rmlr_lightning.detectors.feature_maps import (
    backbone_stages,
    captured,
    encoder_outputs,
    finest_stride,
    input_size,
)
from rmlr_lightning.detectors.one_size import all_real, by_size, padded, stretched
from rmlr_lightning.detectors.set_loss import run_with_loss
from rmlr_lightning.detectors.weights import (
    copy_backbone,
    load_network,
    network_from_config,
    network_from_hub,
    weights_hash,
)
from rmlr_lightning.ops.roi import to_canvas
from rmlr_lightning.types import Entities, Images, Scene

# These networks use the padding mask: in a padded batch their boxes are relative to the image, and
# they were trained on normalised pixels. The RT-DETR line and D-FINE take neither.
USES_PADDING_MASK = ("detr", "conditional_detr", "deformable_detr", "rf_detr")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TransformersDetector(nn.Module):
    """A DETR-family network, and what is needed to interpret its outputs (`detectors.base`).

    Args:
        network: a `...ForObjectDetection` of transformers.
        classes: names of the network's classes, in its order; None for one that is never output.
        mean, std: normalisation of pixels in [0, 1].
        frozen: weights get no gradient, and the module stays in evaluation mode whatever mode its
            parent is in.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        classes: Sequence[str | None],
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        frozen: bool = True,
    ) -> None:
        super().__init__()
        self.network = network
        # Only DETR scores classes by a softmax, with "no object" last; the others use sigmoids.
        self.softmax = network.config.model_type == "detr"
        self.stride = finest_stride(network)
        self.frozen = frozen
        self.maps: tuple[str, ...] = ()  # see `detectors.base.GivesMaps`
        self.metadata: dict[str, Any] = {}  # of the weight file
        self.classes = tuple(checked(classes, "model.detector"))
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
            mean=metadata["mean"],
            std=metadata["std"],
            frozen=frozen,
        )
        detector.metadata = metadata
        return detector

    @classmethod
    def from_hub(
        cls,
        name: str,
        objects: Sequence[str | None] | None = None,
        frozen: bool = True,
        **options: Any,
    ) -> "TransformersDetector":
        """A detector by hub id or local folder; `options` go to `from_pretrained`.

        Args:
            objects: names of its classes, in its order, None for one not in use; by default those
                of `id2label` in its config.json (`detectors.class_names`).

        Raises:
            UserError: it cannot be loaded, or its classes have no names.
        """
        network = network_from_hub(name, **options)
        classes = network.config.id2label
        source = f"detector {name!r}"
        if objects is None:
            names = classes_of_labels(classes, source)
        else:
            names = chosen_classes(objects, len(classes), source)
        normalisation = {}
        if network.config.model_type in USES_PADDING_MASK:
            normalisation = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
        return cls(network, names, frozen=frozen, **normalisation)

    @classmethod
    def from_config(
        cls,
        model_type: str,
        objects: Sequence[str],
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
        return cls(network, objects, frozen=frozen)

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

    def interpretation(self) -> dict[str, Any]:
        """What a weight file must hold beside the network; `from_file` reads it."""
        return {
            "objects": list(self.classes),
            "mean": self.mean.flatten().tolist(),
            "std": self.std.flatten().tolist(),
        }

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
        """Run the network on the images of each size, without padding, and name its outputs.

        A frozen detector runs in float32 also under autocast: bfloat16 leaves boxes three digits.
        """
        device = images.pixels.device.type
        autocast = torch.is_autocast_enabled(device) and not self.frozen
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            with torch.autocast(device, enabled=autocast):
                return by_size(images, self._scene)

    def _scene(self, images: Images) -> Scene:
        """The Scene of images of one size, of which none has padding."""
        # Stretched, not padded: boxes stay relative to the image, whose edge is that of the maps.
        images = stretched(images, input_size(self.network, images.pixels.shape[-2:]))
        stages = backbone_stages(self.network) if self.maps else {}
        modules = {name: stages[name].module for name in self.maps}
        with captured(modules) as maps:
            outputs = self.run_network(images)
        scene = self.to_scene(outputs, images)
        masks = {name: all_real(features) for name, features in maps.items()}
        return scene._replace(maps=maps, map_masks=masks)

    def padded(self, images: Images) -> Images:
        """A padded batch whose sides the network can read, for training."""
        return padded(images, input_size(self.network, images.pixels.shape[-2:]))

    def run_network(self, images: Images, labels: list[dict[str, Tensor]] | None = None) -> Any:
        """The network's own outputs, and with `labels` also its loss.

        Args:
            images: of a size that the network reads (`padded`).
            labels: per image "class_labels" "G" (the network's classes) and "boxes" "G 4" (cxcywh,
                relative to the image), as transformers expects them.
        """
        pixels = (images.pixels - self.mean) / self.std * images.mask[:, None]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        mask = images.mask.long()
        if labels is None:
            return self.network(pixel_values=pixels, pixel_mask=mask)

        # without a padding mask the boxes are relative to the padded canvas
        if self.network.config.model_type not in USES_PADDING_MASK:
            scales = to_canvas(images.mask)
            labels = [
                {**label, "boxes": label["boxes"] * scale}
                for label, scale in zip(labels, scales, strict=True)
            ]
        return run_with_loss(self.network, pixels, mask, labels)

    def to_scene(self, outputs: Any, images: Images) -> Scene:
        """Class scores, boxes, tokens and image features of all queries, before any selection.

        Args:
            outputs: of the network for images without padding.
        """
        logits = outputs.logits.float()
        if self.softmax:
            probabilities = logits.softmax(-1)[..., :-1]
        else:
            probabilities = logits.sigmoid()
        probabilities = probabilities * (self.class_to_object >= 0)
        scores, classes = probabilities.max(-1)
        entities = Entities(
            boxes=box_convert(outputs.pred_boxes.float(), "cxcywh", "xyxy"),
            scores=scores,
            labels=self.class_to_object[classes].clamp_min(0),
            tokens=outputs.last_hidden_state,
            mask=torch.ones_like(scores, dtype=torch.bool),
        )
        memory = self.feature_maps(encoder_outputs(outputs), images.mask.shape[-2:])[0]
        return Scene(entities, memory, all_real(memory), images.sizes)

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
