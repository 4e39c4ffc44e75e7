"""Re-mining from the pixels: a network that is trained, or a second frozen one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.clip_vision import clip_network
from rmlr_lightning.models.pixel_network import PixelNetwork, timm_network
from rmlr_lightning.models.remine import (
    Level,
    ResidualConv,
    finest,
    map_of,
    real_cells,
    summed,
    upsampled,
)
from rmlr_lightning.types import Images, Scene


class Backbone(nn.Module):
    """A network on the pixels, joined with the detector's features.

    Its maps are projected to one width and added at the resolution of the finest, as in a feature
    pyramid, together with the memory. Trained as in the paper, or frozen: then the network runs
    beside the detector (`detectors.second_network`), its maps are cached like the detector's
    outputs, and only the projections are trained.

    Args:
        memory_dim: channels of the detector's memory.
        network: makes the network.
        dim: channels of the re-mined map.
        frozen: the network is not trained.
    """

    def __init__(
        self,
        memory_dim: int,
        map_dims: Mapping[str, int] | None = None,
        *,
        network: Callable[[], PixelNetwork],
        dim: int = 128,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        made = network()
        self.dim, self.frozen, self.structure = dim, frozen, made.structure
        self.needs_pixels = not frozen
        self.maps = tuple(made.maps) if frozen else ()
        self.trunk = None if frozen else made
        # in a tuple, so that it is no part of this module: it becomes one of the detector
        self.frozen_networks = (made,) if frozen else ()
        self.lateral = nn.ModuleList(nn.Conv2d(level.dim, dim, 1) for level in made.levels)
        self.memory = nn.Conv2d(memory_dim, dim, 1)
        self.smooth = ResidualConv(dim)

    def parts(self) -> dict[str, Any]:
        """Configuration that makes this extractor again, with random weights, from plain values.

        Raises:
            UserError: its network cannot be made of plain values.
        """
        if self.structure is None:
            raise UserError(
                "model.remine.name: a network by hub-id or folder of timm cannot be saved in a "
                "folder; choose one by timm's own name, with model.remine.weights=FILE"
            )
        return {
            "_target_": f"{__name__}.{type(self).__name__}",
            "_partial_": True,
            "dim": self.dim,
            "frozen": self.frozen,
            "network": self.structure | {"_partial_": True, "_convert_": "all"},
        }

    def mask(self, scene: Scene, images: Images | None) -> Bool[Tensor, "B h w"]:
        if self.trunk is None:
            return finest([map_of(scene, name) for name in self.maps])[1]
        return self.trunk.masks(images)[0]

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        levels = [
            (lateral(features), mask)
            for lateral, (features, mask) in zip(
                self.lateral, self._levels(scene, images), strict=True
            )
        ]
        fused, mask = summed(levels)
        # the detector's own features join as one more level
        memory = self.memory(scene.memory), scene.memory_mask
        fused = fused + upsampled(memory, (fused, mask))
        return self.smooth(fused * mask[:, None], real_cells(mask))

    def _levels(self, scene: Scene, images: Images | None) -> list[Level]:
        if self.trunk is None:
            return [map_of(scene, name) for name in self.maps]
        if images is None:
            raise UserError(
                "model/remine=backbone needs pixels, but the inputs are cached Scenes alone; "
                "choose model/remine=neck, model.remine.frozen=true or features.pixels=true"
            )
        return list(zip(self.trunk(images), self.trunk.masks(images), strict=True))


def timm_backbone(
    memory_dim: int,
    map_dims: Mapping[str, int] | None = None,
    name: str = "resnet10t",
    dim: int = 128,
    frozen: bool = False,
    pretrained: bool = False,
    weights: str | Path | None = None,
    **options: Any,
) -> Backbone:
    """A network of timm as re-mining extractor. See `Backbone` and `timm_network`.

    Args:
        options: None is left out.

    Raises:
        UserError: a frozen network without weights, or see `timm_network`.
    """
    if frozen and not pretrained and weights is None:
        raise UserError(
            "model.remine.frozen=true: a frozen network needs weights; give "
            "model.remine.pretrained=true or model.remine.weights=FILE"
        )
    options = {key: value for key, value in options.items() if value is not None}

    def network() -> PixelNetwork:
        return timm_network(name, pretrained=pretrained, weights=weights, **options)

    return Backbone(memory_dim, map_dims, network=network, dim=dim, frozen=frozen)


def clip_backbone(
    memory_dim: int,
    map_dims: Mapping[str, int] | None = None,
    name: str = "openai/clip-vit-base-patch16",
    dim: int = 128,
    frozen: bool = True,
) -> Backbone:
    """The image tower of a CLIP of transformers as re-mining extractor; see `clip_network`."""
    return Backbone(
        memory_dim, map_dims, network=lambda: clip_network(name), dim=dim, frozen=frozen
    )
