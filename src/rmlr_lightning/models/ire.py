"""IRE, the interactive relation encoder: interaction-aware pair tokens. And its off-switch."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.models.attention import Block, FeedForward, sine_position
from rmlr_lightning.models.pair_features import PairFeatures, geometry
from rmlr_lightning.ops.roi import resample
from rmlr_lightning.ops.spatial import SPATIAL_DIM
from rmlr_lightning.types import Pairs, Scene


class PairMLP(nn.Module):
    """IRE off: each pair by itself. Arguments as in `IRE`."""

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
        place = geometry(scene, pairs, features)
        coarse = resample(features, self.grid, place.extents)
        tokens = self.pair_features(scene, pairs, place, features, coarse)
        return tokens + self.mlp(tokens)


class IRE(nn.Module):
    """Attention among pairs and into the re-mined map, fused with spatial features and context.

    The paper: pair-wise entity tokens and locations go through a transformer encoder and are then
    combined with global context and spatial features. Layers, width, the pooled map and the form
    of the fusion are our reading.

    Args:
        token_dim, map_dim, memory_dim: widths of the detector's tokens, of the re-mined map and of
            the detector's memory; map_dim 0 leaves cross-attention and global context out.
        pair_features: constructor of the first pair tokens.
        head_dim: width of an attention head; the heads share `dim` if None.
        grid: (rows, columns) the map is averaged to before cross-attention, so that the cost does
            not grow with the image; details come from the RoI features.
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
        # the coarse map has no padding, so the positions of its cells are constants
        cells = torch.ones(1, *self.grid, dtype=torch.bool)
        position = sine_position(cells, map_dim).flatten(1, 2)
        self.register_buffer("position", position, persistent=False)
        self.norm = nn.LayerNorm(dim)
        self.spatial = nn.Linear(SPATIAL_DIM, dim)
        self.context = nn.Linear(map_dim, dim) if map_dim else None
        self.fuse = FeedForward(dim, hidden)

    def forward(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B P D"]:
        place = geometry(scene, pairs, features)
        coarse = resample(features, self.grid, place.extents)
        tokens = self.pair_features(scene, pairs, place, features, coarse)

        cells = self._cells(coarse) if self.map_dim else None
        for block in self.blocks:
            tokens = block(tokens, pairs.mask, cells)

        # multiplicative fusion with the layout, additive with the context of the image
        fused = self.norm(tokens) * (1 + self.spatial(place.layout.to(tokens.dtype)))
        if self.context is not None:
            fused = fused + self.context(cells.mean(1))[:, None]
        return tokens + self.fuse(fused)

    def _cells(self, coarse: Float[Tensor, "B C gh gw"]) -> Float[Tensor, "B M C"]:
        """Cells of the coarse map with their positions, as keys of cross-attention."""
        return coarse.flatten(2).transpose(1, 2) + self.position.to(coarse.dtype)
