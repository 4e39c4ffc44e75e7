"""PViC's feature head: the backbone's map, projected and mixed, for the triplet decoder.

Two convolutions (a feature pyramid of one level) and a Swin Transformer V2 block (arXiv
2111.09883) of windows that are not shifted.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = 8  # cells per side
HEAD_DIM = 32  # at least
STOCHASTIC_DEPTH = 0.2 * 9 / 11  # share of images that skip a branch in training
MAX_SCALE = math.log(100)  # of the cosines
MAX_BIAS = 16


class FeatureHead(nn.Module):
    """A map of `in_dim` channels -> cells of `dim` channels."""

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_dim, dim, 1)
        self.smooth = nn.Conv2d(dim, dim, 3, padding=1)
        for layer in (self.reduce, self.smooth):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)
        self.block = SwinBlock(dim)

    def forward(
        self, features: Float[Tensor, "B C h w"], mask: Bool[Tensor, "B h w"]
    ) -> Float[Tensor, "B h w D"]:
        # Padding is zero before each step that mixes cells, as outside of a single image's map.
        real = mask[:, None].to(features.dtype)
        mixed = self.smooth(self.reduce(features) * real) * real
        return self.block(mixed.permute(0, 2, 3, 1))


class SwinBlock(nn.Module):
    """Window attention by cosines and a feed-forward, each normalised before it is added."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attention = WindowAttention(dim)
        self.norm_attend, self.norm_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        for layer in (self.feed[0], self.feed[2]):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, cells: Float[Tensor, "B h w D"]) -> Float[Tensor, "B h w D"]:
        cells = cells + self._some_images(self.norm_attend(self.attention(cells)))
        return cells + self._some_images(self.norm_feed(self.feed(cells)))

    def _some_images(self, branch: Float[Tensor, "B h w D"]) -> Float[Tensor, "B h w D"]:
        """Stochastic depth: in training a branch is left out for some images."""
        if not self.training:
            return branch
        kept = torch.rand(len(branch), 1, 1, 1, device=branch.device) >= STOCHASTIC_DEPTH
        return branch * kept / (1 - STOCHASTIC_DEPTH)


class WindowAttention(nn.Module):
    """Self-attention within windows of 8 x 8 cells.

    The last windows of a map are filled up with zeros, which take part as keys.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.heads = dim // HEAD_DIM or 1
        self.query, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.log_scale = nn.Parameter(torch.full((self.heads, 1, 1), math.log(10)))
        self.bias = nn.Sequential(
            nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, self.heads, bias=False)
        )
        self.register_buffer("offsets", log_offsets(), persistent=False)
        self.register_buffer("offset_index", offset_index(), persistent=False)

    def forward(self, cells: Float[Tensor, "B h w D"]) -> Float[Tensor, "B h w D"]:
        # windows of all images, "windows heads cells channels"
        windows = _windows(cells)
        rows, columns = windows.shape[1:3]
        windows = windows.flatten(0, 2).flatten(1, 2)
        query, key, value = (
            layer(windows).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            for layer in (self.query, self.key, self.value)
        )
        # A bound on the scale keeps the softmax from saturating early in training.
        scale = self.log_scale.clamp(max=MAX_SCALE).exp()
        cosine = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-1, -2)
        weights = (cosine * scale + self._position_bias()).softmax(-1)
        read = self.out((weights @ value).transpose(-2, -3).flatten(-2))

        # back to one map, without what filled up its last windows
        image, y, x = (torch.arange(side, device=cells.device) for side in cells.shape[:3])
        image, y = image[:, None, None], y[:, None]
        window = (image * rows + y // WINDOW) * columns + x // WINDOW
        return read[window, y % WINDOW * WINDOW + x % WINDOW]

    def _position_bias(self) -> Float[Tensor, "H M M"]:
        """Bias of each head for the offset between two cells of a window."""
        by_offset = MAX_BIAS * self.bias(self.offsets).sigmoid()  # (15 x 15), heads
        return by_offset[self.offset_index].permute(2, 0, 1)


def _windows(cells: Float[Tensor, "B h w D"]) -> Float[Tensor, "B rows columns 8 8 D"]:
    """The windows of maps, zero where they end outside.

    By indices, because torch.export cannot show for all sizes that padded maps divide into windows.
    """
    # It also treats one window apart from several: with a spare one, a graph holds for all maps.
    spare = 1 if torch.compiler.is_exporting() else 0
    y, x = (
        torch.arange((side + WINDOW - 1) // WINDOW + spare, device=cells.device)[:, None] * WINDOW
        + torch.arange(WINDOW, device=cells.device)
        for side in cells.shape[1:3]
    )
    y, x = y[:, None, :, None], x[:, None, :]
    height, width = cells.shape[1:3]
    real = (y < height) & (x < width)
    return cells[:, y.clamp_max(height - 1), x.clamp_max(width - 1)] * real[..., None]


def log_offsets() -> Float[Tensor, "T 2"]:
    """Logarithmic (rows, columns) of all offsets between two cells of a window."""
    steps = torch.arange(1 - WINDOW, WINDOW, dtype=torch.float32)
    offsets = torch.cartesian_prod(steps, steps) / (WINDOW - 1) * 8
    return offsets.sign() * torch.log2(offsets.abs() + 1) / 3


def offset_index() -> torch.Tensor:
    """Row of `log_offsets` for each pair of cells of a window, M M."""
    cell = torch.arange(WINDOW)
    row, column = (part.flatten() for part in torch.meshgrid(cell, cell, indexing="ij"))
    down, right = row[:, None] - row, column[:, None] - column
    return (down + WINDOW - 1) * (2 * WINDOW - 1) + right + WINDOW - 1
