"""Re-mining: image features that, unlike the detector's, are trained for interactions.

Three extractors of one signature. RmLR gives its relation encoder a feature extractor that is not
frozen. Where it sits is our reading: on the detector's frozen features (`Neck`) or on the pixels
(`Backbone`).
"""

from typing import Protocol, runtime_checkable

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Images, Scene

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@runtime_checkable
class Extractor(Protocol):
    """A re-mining extractor: any `nn.Module` with these members can be `model.remine`.

    Its constructor takes `memory_dim`, the channels of the detector's memory, beside its options.
    """

    dim: int  # channels of the re-mined map; 0 for none
    needs_pixels: bool  # False: `images` may be None, cached Scenes suffice

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        """The re-mined map. Its real part covers the same share of the map as in the memory."""
        ...


class NoFeatures(nn.Module):
    """No re-mining: a map without channels. Pairs have the detector's tokens alone."""

    needs_pixels = False

    def __init__(self, memory_dim: int) -> None:
        super().__init__()
        self.dim = 0

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B 0 h w"]:
        return scene.memory[:, :0]


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
    """A trainable block over the detector's frozen features. Works from cached Scenes."""

    needs_pixels = False

    def __init__(self, memory_dim: int, dim: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.dim = dim
        self.body = nn.Sequential(
            nn.Conv2d(memory_dim, dim, 1, bias=False),
            nn.GroupNorm(8, dim),
            nn.SiLU(),
            *(ResidualConv(dim) for _ in range(depth)),
        )

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        mask = scene.memory_mask[:, None]
        return self.body(scene.memory * mask) * mask


class Backbone(nn.Module):
    """A trainable timm network on the pixels, as in the paper, joined with the detector's features.

    Args:
        memory_dim: channels of the detector's memory.
        name: any timm model with `features_only`.
        dim: channels of the re-mined map.
        stride: of the re-mined map; coarser levels are upsampled and added, as in a feature
            pyramid.
        pretrained: load timm's weights from the hub.
        options: further arguments of `timm.create_model`; None is left out.

    Raises:
        UserError: unknown network, or a stride that it does not have.
    """

    needs_pixels = True

    def __init__(
        self,
        memory_dim: int,
        name: str = "resnet10t",
        dim: int = 128,
        stride: int = 8,
        pretrained: bool = False,
        **options: object,
    ) -> None:
        super().__init__()
        options = {key: value for key, value in options.items() if value is not None}
        try:
            self.trunk = timm.create_model(
                name, features_only=True, pretrained=pretrained, **options
            )
        except (RuntimeError, TypeError) as error:
            raise UserError(
                f"model.remine.name={name!r}: timm has no such network with features_only ({error})"
            ) from error
        strides = self.trunk.feature_info.reduction()
        if stride not in strides:
            raise UserError(f"model.remine.stride={stride}: {name} has maps of strides {strides}")

        self.dim = dim
        self.first = strides.index(stride)
        channels = self.trunk.feature_info.channels()[self.first :]
        self.lateral = nn.ModuleList(nn.Conv2d(width, dim, 1) for width in channels)
        self.memory = nn.Conv2d(memory_dim, dim, 1)
        self.smooth = ResidualConv(dim)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        if images is None:
            raise UserError(
                "model/remine=backbone needs pixels, but the inputs are cached Scenes alone; "
                "choose model/remine=neck or features.pixels=true"
            )
        pixels = (images.pixels - self.mean) / self.std * images.mask[:, None]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        levels = self.trunk(pixels)[self.first :]

        # top-down sum at the resolution of the finest level
        size = levels[0].shape[-2:]
        fused = self.lateral[0](levels[0])
        for lateral, level in zip(self.lateral[1:], levels[1:], strict=True):
            fused = fused + _upsample(lateral(level), size)
        memory = self.memory(scene.memory * scene.memory_mask[:, None])
        return self.smooth(fused + _upsample(memory, size))


def _upsample(features: Float[Tensor, "B C h w"], size: torch.Size) -> Float[Tensor, "B C H W"]:
    return F.interpolate(features, size, mode="bilinear", align_corners=False)
