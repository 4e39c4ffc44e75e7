"""IRE, the interactive relation encoder: interaction-aware pair tokens. And its off-switch."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.models.attention import Block, FeedForward, sine_position
from rmlr_lightning.models.pair_features import PairFeatures
from rmlr_lightning.ops.masked import gather_rows, masked_mean
from rmlr_lightning.ops.roi import extents, resample
from rmlr_lightning.ops.spatial import SPATIAL_DIM, spatial_encoding
from rmlr_lightning.types import Pairs, Scene


def pair_layout(scene: Scene, pairs: Pairs) -> Float[Tensor, "B P 36"]:
    """How the two boxes of each pair lie, with the logarithms of vanishing numbers bounded."""
    boxes = scene.entities.boxes
    human, thing = gather_rows(boxes, pairs.human), gather_rows(boxes, pairs.object)
    return spatial_encoding(human, thing, scene.sizes).clamp(-14, 14)


def coarse_map(
    scene: Scene, features: Float[Tensor, "B C h w"], grid: tuple[int, int]
) -> Float[Tensor, "B C gh gw"]:
    """The real part of the map, averaged to a grid."""
    return resample(features, grid, extents(scene.memory_mask, features))


class PairMLP(nn.Module):
    """IRE off: each pair by itself."""

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        memory_dim: int,
        pair_features: partial[PairFeatures],
        dim: int = 128,
        hidden: int = 256,
        grid: Sequence[int] = (10, 14),
    ) -> None:
        super().__init__()
        self.dim = dim
        self.grid = tuple(grid)
        self.pair_features = pair_features(token_dim=token_dim, map_dim=map_dim, dim=dim)
        self.mlp = nn.Sequential(nn.LayerNorm(dim), FeedForward(dim, hidden))

    def forward(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B P D"]:
        coarse = coarse_map(scene, features, self.grid)
        tokens = self.pair_features(scene, pairs, pair_layout(scene, pairs), features, coarse)
        return tokens + self.mlp(tokens)


class IRE(nn.Module):
    """Self-attention among an image's pairs, cross-attention into the re-mined map, fusion with place and context.

    The paper says: pair-wise entity tokens and locations go through a transformer encoder and are then combined with
    global context and spatial features. Layers, width, the pooled map and the form of the fusion are our reading.

    Args:
        token_dim, map_dim, memory_dim: widths of the detector's tokens, the re-mined map and the detector's memory;
            a map_dim of 0 leaves cross-attention and global context out.
        pair_features: makes the first pair tokens.
        head_dim: width of a head of attention; the heads share `dim` if not given.
        grid: (rows, columns) the map is averaged to before it is attended to, so that the cost does not grow with
            the picture; details come from the regions.
    """

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        memory_dim: int,
        pair_features: partial[PairFeatures],
        dim: int = 128,
        heads: int = 4,
        hidden: int = 256,
        layers: int = 2,
        grid: Sequence[int] = (10, 14),
        dropout: float = 0.1,
        head_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.pair_features = pair_features(token_dim=token_dim, map_dim=map_dim, dim=dim)
        self.grid = tuple(grid)
        self.map_dim = map_dim
        self.blocks = nn.ModuleList(
            Block(dim, heads, hidden, map_dim, dropout, head_dim) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.spatial = nn.Linear(SPATIAL_DIM, dim)
        self.context = nn.Linear(map_dim, dim) if map_dim else None
        self.fuse = FeedForward(dim, hidden)

    def forward(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B P D"]:
        layout = pair_layout(scene, pairs)
        coarse = coarse_map(scene, features, self.grid)
        tokens = self.pair_features(scene, pairs, layout, features, coarse)
        memory = mask = None
        if self.map_dim:
            mask = torch.ones(len(coarse), *self.grid, dtype=torch.bool, device=coarse.device)
            place = sine_position(mask, self.map_dim).to(coarse.dtype)
            memory, mask = coarse.flatten(2).transpose(1, 2) + place.flatten(1, 2), mask.flatten(1)
        for block in self.blocks:
            tokens = block(tokens, pairs.mask, memory, mask)
        return tokens + self.fuse(self._situated(self.norm(tokens), layout, memory, mask))

    def _situated(
        self, tokens: Tensor, layout: Tensor, memory: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """Tokens gated by where the two boxes lie, plus what the whole image is like."""
        tokens = tokens * (1 + self.spatial(layout.to(tokens.dtype)))
        if self.context is not None:
            tokens = tokens + self.context(masked_mean(memory, mask))[:, None]
        return tokens
