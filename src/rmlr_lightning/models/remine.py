"""Re-mining: image features that, unlike the detector's, are trained for interactions.

Extractors of one signature. RmLR gives its relation encoder a feature extractor that is not
frozen. Where it sits is our reading: on the detector's frozen features (`Neck`) or on the pixels
(`remine_backbone.Backbone`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import can_count, map_mask, resized_mask
from rmlr_lightning.ops.roi import map_extents, stretched
from rmlr_lightning.types import Images, Scene

REMINED = "remined"  # name of the re-mined map's mask in `Scene.map_masks`
Mask = Bool[Tensor, "B h w"]


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
    # optional: `mask(scene, images)`, the real cells of the re-mined map. Without it they are the
    # same share of the map as of the memory.
    # optional: `parts()`, configuration of plain values that makes the extractor again, with random
    # weights. Without it a saved model has the configuration that it was trained with.

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        """The re-mined map. That of an image must not depend on the others of the batch."""
        ...


def remined(
    extractor: nn.Module, scene: Scene, images: Images | None
) -> tuple[Scene, Float[Tensor, "B C h w"]]:
    """The re-mined map, and the scene with the mask of it (`mask_of`)."""
    features = extractor(scene, images)
    own = getattr(extractor, "mask", None)
    mask = (
        resized_mask(scene.memory_mask, features.shape[2:]) if own is None else own(scene, images)
    )
    # torch 2.8 cannot trace `_replace`
    masks = scene.map_masks | {REMINED: mask}
    parts = scene.entities, scene.memory, scene.memory_mask, scene.sizes, scene.maps
    return Scene(*parts, masks), features


def mask_of(scene: Scene, features: Float[Tensor, "B C h w"]) -> Bool[Tensor, "B 1 h w"]:
    """The real part of the re-mined map of a scene."""
    mask = scene.map_masks.get(REMINED)
    if mask is None:
        mask = resized_mask(scene.memory_mask, features.shape[2:])
    return mask[:, None]


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

    def mask(self, scene: Scene, images: Images | None) -> Bool[Tensor, "B h w"]:
        return map_of(scene, self.name)[1]

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        return map_of(scene, self.name)[0]


class RealCells(NamedTuple):
    """Which cells of a map are not padding."""

    mask: Bool[Tensor, "B h w"]
    real: Float[Tensor, "B 1 1 h w"]  # 1 and 0
    share: Float[Tensor, "B 1 1 1 1"]  # 1 / number of real cells
    all_real: bool  # known on a CPU only, where it saves time


def real_cells(mask: Bool[Tensor, "B h w"]) -> RealCells:
    """The mask of a map with what normalisation needs of it."""
    real = mask[:, None, None].float()
    share = real.sum((3, 4), keepdim=True).clamp_min(1).reciprocal()
    return RealCells(mask, real, share, can_count(mask) and bool(mask.all()))


class ResidualConv(nn.Module):
    """Two 3 x 3 convolutions with group normalisation around a shortcut. Padding stays zero."""

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

    def forward(self, x: Float[Tensor, "B C h w"], cells: RealCells) -> Float[Tensor, "B C h w"]:
        first, norm, act, second, last_norm = self.body
        inner = act(masked_group_norm(first(x), cells, norm))
        return F.silu(x + masked_group_norm(second(inner), cells, last_norm))


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

    def mask(self, scene: Scene, images: Images | None) -> Bool[Tensor, "B h w"]:
        return finest([map_of(scene, name) for name in self.names])[1]

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        project, norm, act, *blocks = self.body
        # each map is projected at its own resolution, which costs less than upsampling it first
        levels = []
        for name, weight in zip(self.names, project.weight.split(self.widths, 1), strict=True):
            features, real = map_of(scene, name)
            levels.append((F.conv2d(features, weight), real))
        fused, mask = summed(levels)

        cells = real_cells(mask)
        x = act(masked_group_norm(fused, cells, norm))
        for block in blocks:
            x = block(x, cells)
        return x


def masked_group_norm(
    x: Float[Tensor, "B C h w"], cells: RealCells, norm: nn.GroupNorm
) -> Float[Tensor, "B C h w"]:
    """Group normalisation over the real cells of each image; zero on padding.

    The statistics of torch's layer are over the whole map: then the padding of a batch, and so the
    sizes of its other images, would change every cell.
    """
    if cells.all_real:
        return norm(x)
    if x.dtype in (torch.float16, torch.bfloat16):  # as torch's layer under autocast
        x = x.float()
    real = cells.real.to(x.dtype)
    groups = x.unflatten(1, (norm.num_groups, -1)) * real  # B G C/G h w
    share = cells.share.to(x.dtype) / groups.shape[2]
    mean = groups.sum((2, 3, 4), keepdim=True) * share
    centred = torch.addcmul(groups, mean, real, value=-1)
    variance = centred.square().sum((2, 3, 4), keepdim=True) * share
    normed = centred * (variance + norm.eps).rsqrt()
    weight, bias = (part.view(norm.num_groups, -1, 1, 1) for part in (norm.weight, norm.bias))
    return (normed * weight + bias * real).flatten(1, 2)


def map_of(scene: Scene, name: str) -> tuple[Float[Tensor, "B C h w"], Bool[Tensor, "B h w"]]:
    """The memory or another map of a Scene, and its real cells.

    Raises:
        UserError: the Scene lacks it.
    """
    if name == "memory":
        return scene.memory, scene.memory_mask
    if name not in scene.maps:
        raise UserError(f"model.remine: the detector's output has no map {name!r}")
    return scene.maps[name], map_mask(scene, name)


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


Level = tuple[Tensor, Tensor]  # a map "B C h w" and its real cells "B h w"


def finest(levels: Sequence[Level]) -> Level:
    """The first level of the highest resolution."""
    best, *others = levels
    for level in others:  # torch 2.8 cannot trace `max` with a key
        if level[0].shape[2] > best[0].shape[2]:
            best = level
    return best


def summed(levels: Sequence[Level]) -> Level:
    """The sum of maps of equal channels, at the resolution of the finest."""
    # the finest keeps its details; the others are blurred by bilinear sampling
    best = finest(levels)
    total, mask = best
    for level in levels:
        if level is not best:
            total = total + upsampled(level, best)
    return total, mask


def upsampled(level: Level, target: Level) -> Tensor:
    """A map at the resolution of another, image by image; padding is arbitrary."""
    (features, mask), (like, like_mask) = level, target
    if features.shape[2:] == like.shape[2:]:
        return features
    extents, like_extents = map_extents(mask, features), map_extents(like_mask, like)
    return stretched(features, extents, tuple(like.shape[2:]), like_extents)
