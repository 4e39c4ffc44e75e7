"""Attention over padded sets.

Built on `scaled_dot_product_attention`: a row without keys gives zeros there, and NaN in
`nn.MultiheadAttention`.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.dropout import Dropout


class Attention(nn.Module):
    """Multi-head attention of queries over masked keys.

    Args:
        key_dim: width of the keys; that of the queries if None.
        head_dim: width of a head; the heads share the queries' width if None.
    """

    def __init__(
        self, dim: int, heads: int, key_dim: int | None = None, head_dim: int | None = None
    ) -> None:
        super().__init__()
        if heads < 1 or (head_dim is None and dim % heads):
            raise UserError(
                f"heads={heads}: must divide the width of the tokens, {dim}; or set head_dim"
            )
        if head_dim is not None and head_dim < 1:
            raise UserError(f"head_dim={head_dim}: must be positive")
        inner = dim if head_dim is None else heads * head_dim
        self.heads = heads
        self.query = nn.Linear(dim, inner)
        self.key_value = nn.Linear(key_dim or dim, 2 * inner)
        self.out = nn.Linear(inner, dim)

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        keys: Float[Tensor, "B K E"],
        mask: Bool[Tensor, "B K"] | None = None,
    ) -> Float[Tensor, "B Q D"]:
        """The attended values of each query; the output bias alone where no key is real.

        Args:
            mask: None: all keys are real.
        """
        parts = self.query(query), *self.key_value(keys).chunk(2, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mask = None if mask is None else mask[:, None, None, :]
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(read.transpose(1, 2).flatten(2))


def attend(
    query: Float[Tensor, "B H Q C"],
    key: Float[Tensor, "B H K C"],
    value: Float[Tensor, "B H K E"],
    mask: Bool[Tensor, "B K"],
    dropout: Dropout,
) -> Float[Tensor, "B H Q E"]:
    """Scaled dot-product attention over masked keys, with dropout of the attention weights."""
    if not dropout.training:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
    # written out, because torch's own dropout is slow on a CPU
    weights = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    lowest = torch.finfo(weights.dtype).min
    weights = weights.masked_fill(~mask[:, None, None], lowest).softmax(-1)
    return dropout(weights) @ value


class FeedForward(nn.Sequential):
    """Two linear layers with GELU between."""

    def __init__(self, dim: int, hidden: int, out: int | None = None, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Linear(dim, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, out or dim)
        )


class Block(nn.Module):
    """Pre-norm transformer layer: self-attention, cross-attention into a memory, feed-forward.

    Args:
        memory_dim: width of the memory's tokens; 0 leaves cross-attention out.
        dropout: in the feed-forward's hidden layer.
        head_dim: see `Attention`.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        memory_dim: int = 0,
        dropout: float = 0.0,
        head_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.norm_self, self.attend_self = (
            nn.LayerNorm(dim),
            Attention(dim, heads, head_dim=head_dim),
        )
        if memory_dim:
            self.norm_cross, self.attend_cross = (
                nn.LayerNorm(dim),
                Attention(dim, heads, memory_dim, head_dim),
            )
        self.norm_feed, self.feed = nn.LayerNorm(dim), FeedForward(dim, hidden, dropout=dropout)
        self.memory_dim = memory_dim

    def forward(
        self,
        tokens: Float[Tensor, "B P D"],
        mask: Bool[Tensor, "B P"],
        memory: Float[Tensor, "B M E"] | None = None,
        memory_mask: Bool[Tensor, "B M"] | None = None,
    ) -> Float[Tensor, "B P D"]:
        """The updated tokens."""
        normed = self.norm_self(tokens)
        tokens = tokens + self.attend_self(normed, normed, mask)
        if self.memory_dim:
            tokens = tokens + self.attend_cross(self.norm_cross(tokens), memory, memory_mask)
        return tokens + self.feed(self.norm_feed(tokens))


def sine_position(
    mask: Bool[Tensor, "B h w"], dim: int, temperature: float = 20.0
) -> Float[Tensor, "B h w D"]:
    """Sines and cosines of the position of each cell, relative to the real part of the map.

    `dim` must be divisible by 4.
    """
    y, x = mask.cumsum(1).float(), mask.cumsum(2).float()
    y, x = y / y[:, -1:].clamp_min(1), x / x[:, :, -1:].clamp_min(1)
    octave = temperature ** torch.linspace(0, 1, dim // 4, device=mask.device) * torch.pi
    angles = torch.stack([x, y], -1)[..., None] * octave
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(3)
