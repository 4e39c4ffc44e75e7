"""IRE, the interactive relation encoder: interaction-aware pair tokens. And its off-switch."""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.models.attention import Block, FeedForward, sine_position
from rmlr_lightning.models.evidence import Evidence
from rmlr_lightning.ops.masked import gather_rows, masked_mean
from rmlr_lightning.ops.spatial import SPATIAL_DIM, spatial_encoding
from rmlr_lightning.types import Pairs, Scene


class PairMLP(nn.Module):
    """IRE off: each pair by itself."""

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        memory_dim: int,
        evidence: partial[Evidence],
        dim: int = 256,
        hidden: int = 512,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.evidence = evidence(token_dim=token_dim, map_dim=map_dim, dim=dim)
        self.mlp = nn.Sequential(nn.LayerNorm(dim), FeedForward(dim, hidden))

    def forward(self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]) -> Float[Tensor, "B P D"]:
        tokens = self.evidence(scene, pairs, features)
        return tokens + self.mlp(tokens)


class IRE(nn.Module):
    """Self-attention among an image's pairs, cross-attention into the re-mined map, fusion with place and context.

    The paper says: pair-wise entity tokens and locations go through a transformer encoder and are then combined with
    global context and spatial features. Layers, width, the pooled map and the form of the fusion are our reading.

    Args:
        token_dim, map_dim, memory_dim: widths of the detector's tokens, the re-mined map and the detector's memory;
            a map_dim of 0 leaves cross-attention and global context out.
        evidence: makes the first pair tokens.
        pool: the map is averaged over pool x pool cells before it is attended to; details come from the regions.
    """

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        memory_dim: int,
        evidence: partial[Evidence],
        dim: int = 256,
        heads: int = 8,
        hidden: int = 512,
        layers: int = 2,
        pool: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.evidence = evidence(token_dim=token_dim, map_dim=map_dim, dim=dim)
        self.pool = pool
        self.map_dim = map_dim
        self.blocks = nn.ModuleList(Block(dim, heads, hidden, map_dim, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.spatial = FeedForward(SPATIAL_DIM, dim, dim)
        self.context = nn.Linear(map_dim, dim) if map_dim else None
        self.fuse = FeedForward(dim, hidden)

    def forward(self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]) -> Float[Tensor, "B P D"]:
        tokens = self.evidence(scene, pairs, features)
        memory = mask = None
        if self.map_dim:
            memory, mask = self._memory(scene, features)
        for block in self.blocks:
            tokens = block(tokens, pairs.mask, memory, mask)
        return tokens + self.fuse(self._situated(self.norm(tokens), scene, pairs, memory, mask))

    def _memory(self, scene: Scene, features: Tensor) -> tuple[Tensor, Tensor]:
        """The map as tokens with their places, and which of them are real."""
        coarse = F.avg_pool2d(features, self.pool, ceil_mode=True, count_include_pad=False)
        mask = F.interpolate(scene.memory_mask[:, None].float(), coarse.shape[-2:])[:, 0] > 0.5
        place = sine_position(mask, self.map_dim).to(coarse.dtype)
        return coarse.flatten(2).transpose(1, 2) + place.flatten(1, 2), mask.flatten(1)

    def _situated(
        self, tokens: Tensor, scene: Scene, pairs: Pairs, memory: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """Tokens gated by where the two boxes lie, plus what the whole image is like."""
        boxes = scene.entities.boxes
        layout = spatial_encoding(gather_rows(boxes, pairs.human), gather_rows(boxes, pairs.object), scene.sizes)
        tokens = tokens * (1 + self.spatial(layout.clamp(-14, 14).to(tokens.dtype)))
        if self.context is not None:
            tokens = tokens + self.context(masked_mean(memory, mask))[:, None]
        return tokens
