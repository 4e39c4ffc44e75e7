"""What a candidate pair starts from: two detector tokens, two boxes, and what the re-mined map shows there."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.models.attention import FeedForward
from rmlr_lightning.ops.boxes import enclosing
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.ops.roi import extents, roi_align
from rmlr_lightning.ops.spatial import SPATIAL_DIM
from rmlr_lightning.types import Pairs, Scene


class RoIFeatures(nn.Module):
    """Reads human, object and the room around both off the re-mined map, with their layout.

    A pooled vector is not enough: in the embedded world a probe for the pose reads 68 % from 5x5 cells, 53 % from one.

    Args:
        size: cells a side of an entity's region; entities are read once each, however many pairs they are in.
        union_size: cells a side of the box around both; these are read for every pair, so they are few.
        reduced: channels of the map as entities read it. Reading is linear, so more than the map has add nothing to
            what can be said; but training finds more with them, and `_folded` makes them free.
        union_reduced: channels of the map as the room around both is read; half of `reduced` if not given.
    """

    def __init__(
        self,
        map_dim: int,
        dim: int,
        size: int = 7,
        union_size: int = 3,
        reduced: int = 64,
        union_reduced: int | None = None,
    ) -> None:
        super().__init__()
        union_reduced = union_reduced or reduced // 2
        self.size, self.union_size = size, union_size
        self.reduce = nn.Conv2d(map_dim, reduced, 1, bias=False)  # what reads its cells has one
        self.reduce_union = nn.Conv2d(map_dim, union_reduced, 1, bias=False)
        self.human = nn.Linear(reduced * size * size, dim)
        self.object = nn.Linear(reduced * size * size, dim)
        self.union = nn.Linear(union_reduced * union_size * union_size, dim)

    def entities(
        self,
        features: Float[Tensor, "B C h w"],
        boxes: Float[Tensor, "B N 4"],
        real: Float[Tensor, "B 2"],
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B N D"]]:
        """What each box shows, read as a human and read as an object. `real`: see `ops.regions.extents`."""
        if (
            boxes.shape[:2].numel() < 2 * features.shape[1]
        ):  # making one step of two costs more than it saves
            cells = roi_align(self.reduce(features).float(), boxes, self.size, real)
            return self.human(cells), self.object(cells)
        weight, bias = self._folded()
        seen = roi_align(
            features.float(),
            boxes,
            self.size,
            real,
            then=lambda cells: F.linear(cells, weight, bias),
        )
        return seen.chunk(2, -1)

    def _folded(self) -> tuple[Float[Tensor, "DD SSC"], Float[Tensor, "DD"]]:
        """Weight and bias of `reduce` and then `human` and `object`, as one step for boxes read off the map itself."""
        reduce, readers = self.reduce.weight.flatten(1), (self.human, self.object)
        weights = [
            (reader.weight.unflatten(1, (-1, len(reduce))) @ reduce).flatten(1)
            for reader in readers
        ]
        return torch.cat(weights), torch.cat([reader.bias for reader in readers])

    def room(
        self, coarse: Float[Tensor, "B C gh gw"], boxes: Float[Tensor, "B P 4"]
    ) -> Float[Tensor, "B P D"]:
        """What the boxes around pairs show, read off the coarse map."""
        return roi_align(self.reduce_union(coarse).float(), boxes, self.union_size, then=self.union)


def without_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A model's weights as today's `RoIFeatures` has them.

    Until 2026-11-26 the map got a bias before boxes were read off it. Cells are means, so that it says nothing that
    the biases after cannot: it is added to these.
    """
    state = dict(state)
    for name in [
        name
        for name in state
        if name.endswith((".regions.reduce.bias", ".regions.reduce_union.bias"))
    ]:
        bias, (regions, step, _) = state.pop(name), name.rsplit(".", 2)
        for reader in ("human", "object") if step == "reduce" else ("union",):
            weight, after = state[f"{regions}.{reader}.weight"], f"{regions}.{reader}.bias"
            state[after] = state[after] + weight.unflatten(1, (-1, len(bias))).sum(1) @ bias
    return state


class PairFeatures(nn.Module):
    """First pair tokens: human + object + how their boxes lie + the room around both, and a feed-forward over the sum.

    The paper names pair-wise entity tokens and locations; the sum is our reading. It is the first layer of an MLP over
    [human; object; layout; room], with the parts that belong to one entity computed once an entity.

    Args:
        token_dim: width of the detector's tokens.
        map_dim: channels of the re-mined map; 0 where nothing is re-mined.
        dim: width of pair tokens.
        hidden: of the feed-forward over the sum, twice `dim` if not given; the layout's has half of it.
    """

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        dim: int,
        region_size: int = 7,
        union_size: int = 3,
        reduced: int = 64,
        union_reduced: int | None = None,
        dropout: float = 0.1,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden or 2 * dim
        self.norm_tokens = nn.LayerNorm(token_dim)
        self.human, self.object = nn.Linear(token_dim, dim), nn.Linear(token_dim, dim)
        self.spatial = FeedForward(SPATIAL_DIM, hidden // 2, dim)
        self.roi = (
            RoIFeatures(map_dim, dim, region_size, union_size, reduced, union_reduced)
            if map_dim
            else None
        )
        self.norm = nn.LayerNorm(dim)
        self.join = FeedForward(dim, hidden, dropout=dropout)

    def forward(
        self,
        scene: Scene,
        pairs: Pairs,
        layout: Float[Tensor, "B P 36"],
        features: Float[Tensor, "B C h w"],
        coarse: Float[Tensor, "B C gh gw"],
    ) -> Float[Tensor, "B P D"]:
        """Pair tokens; on padding they are whatever index 0 gives, and nobody reads them."""
        boxes = scene.entities.boxes
        tokens = self.norm_tokens(scene.entities.tokens)
        human, thing = self.human(tokens), self.object(tokens)
        if self.roi is not None:
            seen_human, seen_thing = self.roi.entities(
                features, boxes, extents(scene.memory_mask, features)
            )
            human, thing = human + seen_human, thing + seen_thing
        pair = gather_rows(human, pairs.human) + gather_rows(thing, pairs.object)
        pair = pair + self.spatial(layout.to(pair.dtype))
        if self.roi is not None:
            around = enclosing(gather_rows(boxes, pairs.human), gather_rows(boxes, pairs.object))
            pair = pair + self.roi.room(coarse, around)
        return pair + self.join(self.norm(pair))
