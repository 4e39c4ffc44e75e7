"""PViC's interaction head (arXiv 2308.06202), batched and padded.

`VisualContext` takes the place of the IRE; `model/irm=linear` is PViC's classifier. Entities attend
to each other (the human-object matcher), pairs attend to each other and to the backbone's last map
(the triplet decoder), and box pairs are their positional embeddings. With DETR's widths the weights
are those of PViC's released heads (`models.released`), and so are the logits.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.attention import attend
from rmlr_lightning.models.dropout import Dropout
from rmlr_lightning.models.pvic_map import FeatureHead
from rmlr_lightning.models.remine import mask_of
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.ops.spatial import SPATIAL_DIM, pixel_encoding
from rmlr_lightning.types import Entities, Pairs, Scene

TEMPERATURE = 20  # of positional embeddings; DETR's own have 10000
MIN_SIDE = 1e-6  # of a box, relative: its inverse scales the embedding of the centre


class VisualContext(nn.Module):
    """Entity tokens -> pairs -> cross-attention into the backbone's last map -> pair tokens.

    PViC also supervises the first decoder layer in training. Here only the last one is classified.

    Args:
        token_dim: width of the detector's tokens, of the positional embeddings and of the map's
            cells; divisible by its number of heads and of window heads (one per 32 channels).
        map_dim: channels of the map (`model/remine=c5`).
        memory_dim: not used.
        representation: width of pair tokens.
        layers: of the matcher among entities.
        decoder_layers: of the decoder among pairs.

    Raises:
        UserError: no map.
    """

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        memory_dim: int,
        representation: int = 384,
        layers: int = 2,
        decoder_layers: int = 2,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not map_dim:
            raise UserError("model/ire=pvic reads a map: choose model/remine=c5, not none")
        self.dim = representation
        self.feature_head = FeatureHead(map_dim, token_dim)
        self.reference = nn.Sequential(
            nn.Linear(token_dim, token_dim), nn.ReLU(), nn.Linear(token_dim, 2)
        )
        self.layout = nn.Sequential(
            nn.Linear(SPATIAL_DIM, 128),
            nn.ReLU(),
            nn.Linear(128, 256),
            nn.ReLU(),
            nn.Linear(256, representation),
            nn.ReLU(),
        )
        self.matcher = nn.ModuleList(MatcherLayer(token_dim, heads, dropout) for _ in range(layers))
        self.fuse = Fusion(token_dim, representation)
        self.decoder = nn.ModuleList(
            DecoderLayer(representation, token_dim, heads, dropout) for _ in range(decoder_layers)
        )
        for weight in self.decoder.parameters():
            if weight.ndim > 1:
                nn.init.xavier_uniform_(weight)

    def forward(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B P D"]:
        entities = scene.entities
        # The map, and where its cells are in the image.
        cells_mask = mask_of(scene, features)[:, 0]
        cells = self.feature_head(features, cells_mask)
        cell_position = _cell_position(cells_mask, cells.shape[-1]).to(cells.dtype)

        # The matcher: entities of an image attend to each other.
        box_position, centre_position = self._positions(entities)
        tokens = entities.tokens
        for layer in self.matcher:
            tokens = layer(tokens, box_position, entities.mask)

        # Pairs attend to each other by the boxes of both entities, and to the map by both centres.
        layout = self._layouts(entities, scene, pairs)
        queries = self.fuse(tokens, pairs, layout)
        boxes = _paired(box_position, pairs)
        centres = _paired(centre_position, pairs)
        cells, cell_position = cells.flatten(1, 2), cell_position.flatten(1, 2)
        for layer in self.decoder:
            queries = layer.attend_pairs(queries, boxes, pairs.mask)
            queries = layer.attend_map(
                queries, centres, cells, cell_position, cells_mask.flatten(1)
            )
        return queries

    def _positions(
        self, entities: Entities
    ) -> tuple[Float[Tensor, "B N CC"], Float[Tensor, "B N C"]]:
        """Embeddings of whole boxes, and of their centres at the scale that suits the entity.

        The scale of the centre is learned, relative to the size of the box (Conditional DETR's
        modulation).
        """
        tokens, boxes = entities.tokens, entities.boxes.to(entities.tokens.dtype)
        centre = (boxes[..., :2] + boxes[..., 2:]) / 2
        size = boxes[..., 2:] - boxes[..., :2]
        half = tokens.shape[-1] // 2
        centre_position, size_position = _embed(centre, half), _embed(size, half)
        # embeddings have y first, boxes and scales x
        scale = (self.reference(tokens).sigmoid() / size.clamp_min(MIN_SIDE)).flip(-1)
        scaled = centre_position.unflatten(-1, (2, half)) * scale[..., None]
        return torch.cat([centre_position, size_position], -1), scaled.flatten(2)

    def _layouts(self, entities: Entities, scene: Scene, pairs: Pairs) -> Float[Tensor, "B P D"]:
        """Layout tokens of the pairs."""
        boxes_h = gather_rows(entities.boxes, pairs.human)
        boxes_o = gather_rows(entities.boxes, pairs.object)
        encoding = pixel_encoding(boxes_h, boxes_o, scene.sizes)
        return self.layout(encoding.to(entities.tokens.dtype))


class MatcherLayer(nn.Module):
    """Self-attention of entities; positions are added to queries and keys, not to values."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.query_position, self.key_position = nn.Linear(2 * dim, dim), nn.Linear(2 * dim, dim)
        self.out = nn.Linear(dim, dim)
        self.feed = _feed_forward(dim, 4 * dim, dropout)
        self.norm_attend, self.norm_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        tokens: Float[Tensor, "B N C"],
        position: Float[Tensor, "B N CC"],
        mask: Bool[Tensor, "B N"],
    ) -> Float[Tensor, "B N C"]:
        query = self.query(tokens) + self.query_position(position)
        key = self.key(tokens) + self.key_position(position)
        parts = (_split(part, self.heads) for part in (query, key, self.value(tokens)))
        read = _joined(attend(*parts, mask, self.dropout))
        tokens = self.norm_attend(tokens + self.dropout(self.out(read)))
        return self.norm_feed(tokens + self.dropout(self.feed(tokens)))


class Fusion(nn.Module):
    """The first token of a pair, from its two entities and the layout of their boxes."""

    def __init__(self, token_dim: int, dim: int) -> None:
        super().__init__()
        self.entities, self.layout = nn.Linear(2 * token_dim, dim), nn.Linear(dim, dim)
        self.norm_entities, self.norm_layout = nn.LayerNorm(dim), nn.LayerNorm(dim)
        middle = dim * 3 // 2
        self.mlp = nn.Sequential(
            nn.Linear(2 * dim, middle), nn.ReLU(), nn.Linear(middle, dim), nn.ReLU()
        )

    def forward(
        self, tokens: Float[Tensor, "B N C"], pairs: Pairs, layout: Float[Tensor, "B P D"]
    ) -> Float[Tensor, "B P D"]:
        # a linear layer on [human; object], its two halves computed once per entity
        as_human, as_object = self.entities.weight.chunk(2, 1)
        human = gather_rows(F.linear(tokens, as_human, self.entities.bias), pairs.human)
        object_ = gather_rows(F.linear(tokens, as_object), pairs.object)
        entities = self.norm_entities(human + object_)
        layout = self.norm_layout(self.layout(layout))
        return self.mlp(F.relu(torch.cat([entities, layout], -1)))


class DecoderLayer(nn.Module):
    """Self-attention of pairs, cross-attention into the map, feed-forward.

    Args:
        dim: width of pair tokens.
        map_dim: width of the map's cells and of positions in the image.
    """

    def __init__(self, dim: int, map_dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        # a box pair has eight coordinates of map_dim / 2 channels each, two centres have four
        self.query_position = nn.Linear(4 * map_dim, dim)
        self.key_position = nn.Linear(4 * map_dim, dim)
        self.out, self.norm = nn.Linear(dim, dim), nn.LayerNorm(dim)

        self.map_query = nn.Linear(dim, dim)
        self.map_query_position = nn.Linear(2 * map_dim, dim)
        self.map_key, self.map_value, self.map_key_position = (
            nn.Linear(map_dim, dim) for _ in range(3)
        )
        self.map_out, self.map_norm = nn.Linear(dim, dim), nn.LayerNorm(dim)
        self.feed, self.feed_norm = _feed_forward(dim, 4 * dim, dropout), nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def attend_pairs(
        self,
        queries: Float[Tensor, "B P D"],
        boxes: Float[Tensor, "B P E"],
        mask: Bool[Tensor, "B P"],
    ) -> Float[Tensor, "B P D"]:
        """Self-attention; `boxes` are the positional embeddings of the box pairs."""
        query = self.query(queries) + self.query_position(boxes)
        key = self.key(queries) + self.key_position(boxes)
        parts = (_split(part, self.heads) for part in (query, key, self.value(queries)))
        read = _joined(attend(*parts, mask, self.dropout))
        return self.norm(queries + self.dropout(self.out(read)))

    def attend_map(
        self,
        queries: Float[Tensor, "B P D"],
        centres: Float[Tensor, "B P E"],
        cells: Float[Tensor, "B M C"],
        cell_position: Float[Tensor, "B M C"],
        mask: Bool[Tensor, "B M"],
    ) -> Float[Tensor, "B P D"]:
        """Cross-attention and feed-forward.

        In each head content and position are concatenated, so that their products are separate
        (Conditional DETR, arXiv 2108.06152).
        """
        query, query_position, key, key_position, value = (
            _split(part, self.heads)
            for part in (
                self.map_query(queries),
                self.map_query_position(centres),
                self.map_key(cells),
                self.map_key_position(cell_position),
                self.map_value(cells),
            )
        )
        # One product over the concatenation is the sum of a product of contents and of positions.
        query = torch.cat([query, query_position], -1)
        key = torch.cat([key, key_position], -1)
        read = _joined(attend(query, key, value, mask, self.dropout))
        queries = self.map_norm(queries + self.dropout(self.map_out(read)))
        return self.feed_norm(queries + self.dropout(self.feed(queries)))


def _feed_forward(dim: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(dim, hidden), nn.ReLU(), Dropout(dropout), nn.Linear(hidden, dim)
    )


def _split(tokens: Float[Tensor, "B N D"], heads: int) -> Float[Tensor, "B H N _"]:
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


def _joined(read: Float[Tensor, "B H N C"]) -> Float[Tensor, "B N _"]:
    return read.transpose(1, 2).flatten(2)


def _paired(values: Float[Tensor, "B N C"], pairs: Pairs) -> Float[Tensor, "B P _"]:
    return torch.cat([gather_rows(values, pairs.human), gather_rows(values, pairs.object)], -1)


def _embed(points: Float[Tensor, "*n 2"], dim: int) -> Float[Tensor, "*n _"]:
    """Sines and cosines of (x, y) in [0, 1]: `dim` channels of y, then as many of x."""
    exponent = torch.arange(0, dim, 2, device=points.device) / dim
    angles = points.flip(-1)[..., None] * (2 * torch.pi) / TEMPERATURE ** exponent.to(points.dtype)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-3)


def _cell_position(mask: Bool[Tensor, "B h w"], dim: int) -> Float[Tensor, "B h w D"]:
    """Embeddings of the cells of a map, relative to its real part."""
    y, x = mask.cumsum(1), mask.cumsum(2)
    y, x = y / (y[:, -1:] + 1e-6), x / (x[:, :, -1:] + 1e-6)
    return _embed(torch.stack([x, y], -1), dim // 2)
