"""Re-mining: image features that, unlike the detector's, may learn what people do.

Three extractors of one signature. RmLR gives its relation encoder a feature extractor that is not frozen; where it sits
is our reading: on the detector's frozen features (`Neck`) or on the pixels (`Backbone`).
"""

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.detectors.transformers import IMAGENET_MEAN, IMAGENET_STD
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Images, Scene


class NoFeatures(nn.Module):
    """No re-mining: an image map without channels; pairs know the detector's tokens alone."""

    def __init__(self, memory_dim: int) -> None:
        super().__init__()
        self.dim = 0

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B 0 h w"]:
        return scene.memory[:, :0]


class ResidualConv(nn.Module):
    """Two 3x3 convolutions with group normalisation around a shortcut."""

    def __init__(self, dim: int, groups: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.GroupNorm(groups, dim),
            nn.SiLU(),
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.GroupNorm(groups, dim),
        )
        nn.init.zeros_(self.body[-1].weight)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        return F.silu(x + self.body(x))


class Neck(nn.Module):
    """A trainable block over the detector's frozen features: needs no pixels, so it works from cached scenes."""

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
        memory = scene.memory * scene.memory_mask[:, None]
        return self.body(memory) * scene.memory_mask[:, None]


class Backbone(nn.Module):
    """A trainable timm network on the pixels, as in the paper, joined with the detector's features.

    Args:
        name: any timm model with `features_only`.
        stride: of the map that comes out; coarser levels are brought up and added, as in a feature pyramid.
        pretrained: take timm's weights from the hub.
    """

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
        try:
            chosen = {key: value for key, value in options.items() if value is not None}
            self.trunk = timm.create_model(
                name, features_only=True, pretrained=pretrained, **chosen
            )
        except (RuntimeError, TypeError) as error:
            raise UserError(
                f"model.remine.name={name!r}: timm knows no such network with features_only ({error})"
            ) from error
        reductions = self.trunk.feature_info.reduction()
        if stride not in reductions:
            raise UserError(
                f"model.remine.stride={stride}: {name} has maps of strides {reductions}"
            )
        self.dim = dim
        self.first = reductions.index(stride)
        channels = self.trunk.feature_info.channels()[self.first :]
        self.lateral = nn.ModuleList(nn.Conv2d(width, dim, 1) for width in channels)
        self.memory = nn.Conv2d(memory_dim, dim, 1)
        self.smooth = ResidualConv(dim)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, scene: Scene, images: Images | None) -> Float[Tensor, "B C h w"]:
        if images is None:
            raise UserError(
                "model/remine=backbone needs pixels, but only cached scenes came; choose remine=neck or load pixels too"
            )
        pixels = (images.pixels - self.mean) / self.std * images.mask[:, None]
        levels = self.trunk(pixels.contiguous(memory_format=torch.channels_last))[self.first :]
        size = levels[0].shape[-2:]
        fused = self.lateral[0](levels[0])
        for lateral, level in zip(self.lateral[1:], levels[1:], strict=True):
            fused = fused + F.interpolate(
                lateral(level), size, mode="bilinear", align_corners=False
            )
        memory = self.memory(scene.memory * scene.memory_mask[:, None])
        fused = fused + F.interpolate(memory, size, mode="bilinear", align_corners=False)
        return self.smooth(fused)
