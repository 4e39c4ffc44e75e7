"""Re-mining: image features that, unlike the detector's, are trained for interactions.

Extractors of one signature. RmLR gives its relation encoder a feature extractor that is not
frozen. Where it sits is our reading: on the detector's frozen features (`Neck`) or on the pixels
(`remine_backbone.Backbone`).
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import resized_mask
from rmlr_lightning.types import Images, Scene


@runtime_checkable
class Extractor(Protocol):
    """A re-mining extractor: any `nn.Module` with these members can be `model.remine`.

    Its constructor takes `memory_dim` and `map_dims`, the channels of the detector's memory and of
    the other maps that it has, by name, beside its options.
    """

    dim: int  # channels of the re-mined map; 0 for none
    needs_pixels: bool  # False: `images` may be None, cached Scenes suffice
    maps: tuple[str, ...]  # names of the maps in `Scene.maps` that it reads
    # optional: `frozen_networks: tuple[PixelNetwork, ...]`, whose maps the detector shall add

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        """The re-mined map. Its real part covers the same share of the map as in the memory."""
        ...


class NoFeatures(nn.Module):
    """No re-mining: a map without channels. Pairs have the detector's tokens alone."""

    needs_pixels = False
    maps = ()

    def __init__(self, memory_dim: int, map_dims: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.dim = 0

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B 0 h w"]:
        return scene.memory[:, :0]


class DetectorMap(nn.Module):
    """A map of the detector as it is, without weights. For heads that project it themselves.

    Args:
        map: "memory", or a map of the detector's backbone such as "c5" (PViC reads C5).

    Raises:
        UserError: the detector has no such map.
    """

    needs_pixels = False

    def __init__(
        self, memory_dim: int, map_dims: Mapping[str, int] | None = None, map: str = "c5"
    ) -> None:
        super().__init__()
        self.name = map
        self.maps = named_maps([map])
        (self.dim,) = dims_of([map], memory_dim, map_dims)

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        return map_of(scene, self.name)


class ResidualConv(nn.Module):
    """Two 3 x 3 convolutions with group normalisation around a shortcut."""

    def __init__(self, dim: int, groups: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.GroupNorm(groups, dim),
            nn.SiLU(),
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.GroupNorm(groups, dim),
        )
        nn.init.zeros_(self.body[-1].weight)  # starts as the identity

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        return F.silu(x + self.body(x))


class Neck(nn.Module):
    """A trainable block over the detector's frozen features. Works from cached Scenes.

    Args:
        dim: channels of the re-mined map.
        depth: residual blocks.
        maps: of the detector: "memory", "c3", "c4", "c5". Several are projected by one 1 x 1
            convolution over all their channels, and added at the resolution of the finest.

    Raises:
        UserError: the detector has no such map.
    """

    needs_pixels = False

    def __init__(
        self,
        memory_dim: int,
        map_dims: Mapping[str, int] | None = None,
        dim: int = 128,
        depth: int = 2,
        maps: Sequence[str] = ("memory",),
    ) -> None:
        super().__init__()
        self.dim = dim
        self.names, self.maps = tuple(maps), named_maps(maps)
        self.widths = dims_of(maps, memory_dim, map_dims)
        self.body = nn.Sequential(
            nn.Conv2d(sum(self.widths), dim, 1, bias=False),
            nn.GroupNorm(8, dim),
            nn.SiLU(),
            *(ResidualConv(dim) for _ in range(depth)),
        )

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        weights = self.body[0].weight.split(self.widths, 1)
        # each map is projected at its own resolution, which costs less than upsampling it first
        levels = []
        for name, weight in zip(self.names, weights, strict=True):
            features = map_of(scene, name)
            levels.append(F.conv2d(features * mask_of(scene, features), weight))
        fused = summed(levels)
        return self.body[1:](fused) * mask_of(scene, fused)


def map_of(scene: Scene, name: str) -> Float[Tensor, "B C h w"]:
    """The memory or another map of a Scene.

    Raises:
        UserError: the Scene lacks it.
    """
    if name == "memory":
        return scene.memory
    if name not in scene.maps:
        raise UserError(f"model.remine: the detector's output has no map {name!r}")
    return scene.maps[name]


def mask_of(scene: Scene, features: Float[Tensor, "B C h w"]) -> Bool[Tensor, "B 1 h w"]:
    """The real part of a map of any size: the same share of it as of the memory."""
    return resized_mask(scene.memory_mask, features.shape[2:])[:, None]


def named_maps(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the maps that a detector has to be asked for: all but the memory."""
    return tuple(name for name in names if name != "memory")


def dims_of(names: Sequence[str], memory_dim: int, map_dims: Mapping[str, int] | None) -> list[int]:
    """Channels of these maps.

    Raises:
        UserError: none are named, or the detector lacks one.
    """
    known = {"memory": memory_dim, **(map_dims or {})}
    if isinstance(names, str) or not names:
        raise UserError(f"model.remine.maps={names}: expected a list, such as [memory,c4]")
    for name in names:
        if name not in known:
            raise UserError(
                f"model.remine: this detector has no map {name!r}; choose from {', '.join(known)}"
            )
    return [known[name] for name in names]


def summed(levels: Sequence[Float[Tensor, "B C _ _"]]) -> Float[Tensor, "B C h w"]:
    """The sum of maps of equal channels, at the resolution of the finest."""
    # the finest keeps its details; the others are blurred by bilinear sampling
    finest = max(levels, key=lambda level: level.shape[2])
    total = finest
    for level in levels:
        if level is not finest:
            total = total + upsample(level, finest.shape[2:])
    return total


def upsample(features: Float[Tensor, "B C h w"], size: torch.Size) -> Float[Tensor, "B C H W"]:
    if features.shape[2:] == size:
        return features
    return F.interpolate(features, size, mode="bilinear", align_corners=False)
