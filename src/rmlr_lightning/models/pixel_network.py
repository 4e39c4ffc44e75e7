"""Networks on the pixels whose feature maps are re-mined: any of timm."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.detectors.weights import weights_hash
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import ask_hub
from rmlr_lightning.models.network_weights import load_weights
from rmlr_lightning.ops.same_size import (
    cells_mask,
    original_order,
    padded_together,
    parts_of_one_size,
)
from rmlr_lightning.types import Images

# in names such as hf-hub:owner/name, whose options timm reads elsewhere
OUTSIDE = ":"
# names of weights on the hub, as timm looks for them
HUB_FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin")


class Level(NamedTuple):
    """One map of a network."""

    dim: int  # channels
    stride: int  # pixels per cell


class PixelNetwork(nn.Module):
    """Images to feature maps, the finest first.

    Args:
        body: normalised pixels "B 3 H W" -> the maps.
        name: of the network, for the names of its maps.
        levels: channels and stride of each map.
        mean, std: normalisation of pixels in [0, 1] that the network was trained with.
        patches: a vision transformer of one map. The sides of an image are stretched to multiples
            of the patch, so that the map covers the image exactly.
        structure: configuration that makes the network again, with random weights: `_target_` and
            plain values. None: it cannot be had from plain values.

    Images of one size are run together, without padding: a network reads it at the edge of an
    image. Only while a convolutional network is trained, padding stays, because batch normalisation
    needs the whole batch.
    """

    def __init__(
        self,
        body: nn.Module,
        name: str,
        levels: Sequence[Level],
        mean: Sequence[float],
        std: Sequence[float],
        patches: bool = False,
        structure: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.body, self.name, self.levels, self.patches = body, name, tuple(levels), patches
        self.structure = structure
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @property
    def maps(self) -> dict[str, Level]:
        """The maps by name, such as "resnet50/8"."""
        return {f"{self.name}/{level.stride}": level for level in self.levels}

    def fingerprint(self) -> dict[str, Any]:
        """All that determines the maps besides the images; "weights" is a SHA-256 hash."""
        return {
            "weights": weights_hash(self.body),
            "maps": list(self.maps),
            "mean": [round(value, 6) for value in self.mean.flatten().tolist()],
            "std": [round(value, 6) for value in self.std.flatten().tolist()],
        }

    def masks(self, images: Images) -> list[Bool[Tensor, "B _ _"]]:
        """The real cells of each map."""
        return [cells_mask(images.mask, level.stride) for level in self.levels]

    def forward(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        # An exported program cannot ask for sizes; it is given single images.
        if (self.training or torch.compiler.is_compiling()) and not self.patches:
            return self._maps(images)
        parts = parts_of_one_size(images)
        levels = zip(*(self._maps(part.images) for part in parts), strict=True)
        order = original_order([part.rows for part in parts], images.mask.device)
        return [padded_together(maps, order) for maps in levels]

    def _maps(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        pixels = (images.pixels - self.mean) / self.std * images.mask[:, None]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        height, width = pixels.shape[2:]
        coarsest = self.levels[-1].stride
        more = (-height % coarsest, -width % coarsest)
        if any(more) and self.patches:
            whole = (height + more[0], width + more[1])
            pixels = F.interpolate(pixels, whole, mode="bilinear", align_corners=False)
        elif any(more):
            # ResNets round the number of cells up, ConvNeXts down: with whole cells both are equal
            pixels = F.pad(pixels, (0, more[1], 0, more[0]))
        return [
            features[:, :, : -(-height // level.stride), : -(-width // level.stride)]
            for features, level in zip(self.body(pixels), self.levels, strict=True)
        ]


class TimmMaps(nn.Module):
    """Intermediate maps of a timm network. Vision transformers apply their last norm to them."""

    def __init__(self, network: nn.Module, indices: Sequence[int], norm: bool) -> None:
        super().__init__()
        self.network, self.indices, self.norm = network, list(indices), norm
        # what follows the last map would get no gradient
        network.prune_intermediate_layers(self.indices, prune_norm=not norm, prune_head=True)

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        return self.network.forward_intermediates(
            pixels, indices=self.indices, norm=self.norm, stop_early=True, intermediates_only=True
        )


def timm_network(
    name: str,
    stride: int = 8,
    pretrained: bool = False,
    weights: str | Path | None = None,
    **options: Any,
) -> PixelNetwork:
    """A network of timm, with one map for each of its strides from `stride` on.

    Args:
        name: of timm, such as resnet50 or vit_base_patch16_clip_224.openai.
        stride: finer maps are left out. A plain vision transformer has one map, that of its patches
            after the last block.
        pretrained: load timm's weights from the hub.
        weights: a local file to load instead (`network_weights.load_weights`).
        options: further arguments of `timm.create_model`.

    Raises:
        UserError: unknown network or option, weights that cannot be had, no map of that stride.
    """
    if pretrained and weights is not None:
        raise UserError("model.remine: give pretrained=true or weights=FILE, not both")
    network = _create(name, pretrained, options)
    if weights is not None:
        load_weights(network, weights)
    return _with_maps(network, name, stride, options)


def timm_structure(name: str, stride: int = 8, **options: Any) -> PixelNetwork:
    """As `timm_network`, with random weights, from timm's own list of networks: reads no file.

    Raises:
        UserError: unknown network or option.
    """
    if OUTSIDE in name:
        raise UserError(f"model.remine.name={name!r}: not of timm's own networks")
    return _with_maps(_create(name, False, options), name, stride, options)


def _with_maps(network: nn.Module, name: str, stride: int, options: dict[str, Any]) -> PixelNetwork:
    # the last map of each stride: a plain vision transformer has one per block
    last = {info["reduction"]: index for index, info in enumerate(network.feature_info)}
    kept = {step: index for step, index in last.items() if step >= stride}
    if not kept:
        raise UserError(f"model.remine.stride={stride}: {name} has maps of strides {list(last)}")
    # all blocks of a plain vision transformer have maps of one size
    patches = len(last) == 1
    levels = [Level(network.feature_info[index]["num_chs"], step) for step, index in kept.items()]
    cfg = network.pretrained_cfg
    body = TimmMaps(network, list(kept.values()), norm=patches)
    structure = {
        "_target_": f"{__name__}.{timm_structure.__name__}",
        "name": name,
        "stride": stride,
        **options,
    }
    return PixelNetwork(
        body,
        name,
        levels,
        cfg["mean"],
        cfg["std"],
        patches,
        structure=None if OUTSIDE in name else structure,
    )


def _create(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    if OUTSIDE not in name and not timm.is_model(name.partition(".")[0]):
        raise UserError(f"model.remine.name={name!r}: timm has no network of this name")
    # a vision transformer interpolates its position embeddings only if asked to
    for more in ({"dynamic_img_size": True}, {}):
        try:
            if pretrained:
                cfg = timm.get_pretrained_cfg(name)
                if cfg is not None and cfg.hf_hub_id:
                    ask_hub(cfg.hf_hub_id, HUB_FILES)
            network = timm.create_model(
                name, pretrained=pretrained, num_classes=0, **more, **options
            )
            break
        except TypeError as error:
            wrong = error
        except Exception as error:  # of the hub's client, whose classes differ between versions
            if not pretrained:
                raise UserError(f"model.remine.name={name!r}: {_first_line(error)}") from error
            raise UserError(
                f"model.remine.pretrained=true: the weights of {name} cannot be had from the hub "
                f"({_first_line(error)}); give model.remine.weights=FILE, or pretrained=false for "
                "random weights"
            ) from error
    else:
        raise UserError(f"model.remine: {name} does not take an option ({wrong})") from wrong
    if not hasattr(network, "forward_intermediates"):
        raise UserError(f"model.remine.name={name!r}: gives no feature maps; choose another")
    return network


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]
