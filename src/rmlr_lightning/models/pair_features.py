"""Pair features: the first token of a pair, from its two entities and the re-mined map."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.models.attention import FeedForward
from rmlr_lightning.models.remine import mask_of
from rmlr_lightning.ops.boxes import union_box
from rmlr_lightning.ops.masked import at_least_float32, gather_rows
from rmlr_lightning.ops.roi import map_extents, roi_align
from rmlr_lightning.ops.spatial import SPATIAL_DIM, spatial_encoding
from rmlr_lightning.types import Pairs, Scene

# logarithms of vanishing widths and distances are bounded: log(1e-6) = -13.8
MAX_LAYOUT = 14


def two_layers(
    x: Float[Tensor, "*n C"], first: nn.Linear, second: nn.Linear
) -> Float[Tensor, "*n DD"]:
    """The outputs of two layers of one input, side by side, by one product."""
    weight, bias = torch.cat([first.weight, second.weight]), torch.cat([first.bias, second.bias])
    return F.linear(x, weight, bias)


class RoIFeatures(nn.Module):
    """RoI features of the human box, the object box and their union box; the layout is kept.

    A pooled vector is not enough: on the synthetic benchmark a probe for the pose reaches 68 %
    from 5 x 5 cells and 53 % from one.

    Args:
        map_dim: channels of the re-mined map.
        dim: width of the result.
        size: cells per side of an entity's box. Each entity is pooled once, however many pairs it
            is part of.
        union_size: cells per side of the union box. It is pooled for every pair, so it is coarse.
        reduced: channels of the map before entities are pooled. Pooling is linear, so more
            channels than the map has add no capacity; training finds better weights with them,
            and `_folded` makes them free.
        union_reduced: channels of the map before union boxes are pooled; half of `reduced` if
            None.
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
        # no bias here: cells are means, so the biases of the layers below are equivalent
        self.reduce = nn.Conv2d(map_dim, reduced, 1, bias=False)
        self.reduce_union = nn.Conv2d(map_dim, union_reduced, 1, bias=False)
        self.human = nn.Linear(reduced * size * size, dim)
        self.object = nn.Linear(reduced * size * size, dim)
        self.union = nn.Linear(union_reduced * union_size * union_size, dim)

    def entities(
        self,
        features: Float[Tensor, "B C h w"],
        boxes: Float[Tensor, "B N 4"],
        extents: Float[Tensor, "B 2"],
    ) -> Float[Tensor, "B N DD"]:
        """Features of each box as a human, and then as an object. `extents`: see `ops.roi`."""
        batch, count = boxes.shape[:2]
        # Folding the two layers costs about as much as two boxes per channel of the map save; a
        # runtime of exported programs folds them once, when it loads them.
        if not torch.compiler.is_compiling() and batch * count < 2 * features.shape[1]:
            cells = roi_align(at_least_float32(self.reduce(features)), boxes, self.size, extents)
            return two_layers(cells, self.human, self.object)

        weight, bias = self._folded()
        return roi_align(
            at_least_float32(features),
            boxes,
            self.size,
            extents,
            project=lambda cells: F.linear(cells, weight, bias),
        )

    def _folded(self) -> tuple[Float[Tensor, "DD SSC"], Float[Tensor, "DD"]]:
        """`reduce` followed by `human` and `object` as one linear layer on cells of the map."""
        reduce = self.reduce.weight.flatten(1)  # reduced, map_dim
        weight = torch.cat([self.human.weight, self.object.weight])
        per_cell = weight.unflatten(1, (-1, len(reduce)))  # 2 dim, cells, reduced
        bias = torch.cat([self.human.bias, self.object.bias])
        return (per_cell @ reduce).flatten(1), bias

    def unions(
        self, coarse: Float[Tensor, "B C gh gw"], boxes: Float[Tensor, "B P 4"]
    ) -> Float[Tensor, "B P D"]:
        """Features of the union box of each pair, from the coarse map."""
        reduced = at_least_float32(self.reduce_union(coarse))
        return roi_align(reduced, boxes, self.union_size, project=self.union)


class Geometry(NamedTuple):
    """Where the boxes of pairs lie; follows from detections alone."""

    layout: Float[Tensor, "B P 36"]  # bounded spatial encoding
    unions: Float[Tensor, "B P 4"]  # union boxes
    extents: Float[Tensor, "B 2"]  # (rows, columns) of the re-mined map that are not padding


def geometry(scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]) -> Geometry:
    """The geometry of pairs on the re-mined map `features`."""
    boxes = scene.entities.boxes
    boxes_h, boxes_o = gather_rows(boxes, pairs.human), gather_rows(boxes, pairs.object)
    layout = spatial_encoding(boxes_h, boxes_o, scene.sizes).clamp(-MAX_LAYOUT, MAX_LAYOUT)
    extents = map_extents(mask_of(scene, features)[:, 0], features)
    return Geometry(layout, union_box(boxes_h, boxes_o), extents)


class PairFeatures(nn.Module):
    """First pair tokens: a sum of human, object, spatial and union features, and a feed-forward.

    The paper names pair-wise entity tokens and box locations; the sum is our reading. It is the
    first layer of an MLP over [human; object; spatial; union], with the parts that belong to one
    entity computed once per entity instead of once per pair.

    Args:
        token_dim: width of the detector's tokens.
        map_dim: channels of the re-mined map; 0 where nothing is re-mined.
        dim: width of pair tokens.
        hidden: width of the feed-forward over the sum, 2 `dim` if None; half of it for the
            spatial encoding.
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
        self.roi = None
        if map_dim:
            self.roi = RoIFeatures(map_dim, dim, region_size, union_size, reduced, union_reduced)
        self.norm = nn.LayerNorm(dim)
        self.join = FeedForward(dim, hidden, dropout=dropout)

    def forward(
        self,
        scene: Scene,
        pairs: Pairs,
        place: Geometry,
        features: Float[Tensor, "B C h w"],
        coarse: Float[Tensor, "B C gh gw"],
    ) -> Float[Tensor, "B P D"]:
        """Pair tokens; rows of padding are arbitrary and masked later.

        Args:
            place: of the pairs' boxes.
            features: re-mined map.
            coarse: the same map, averaged to a grid without padding.
        """
        boxes = scene.entities.boxes
        tokens = self.norm_tokens(scene.entities.tokens)
        # each entity as a human and as an object, side by side
        both = two_layers(tokens, self.human, self.object)
        if self.roi is not None:
            both = both + self.roi.entities(features, boxes, place.extents)
        human, object_ = both.chunk(2, -1)

        pair = gather_rows(human, pairs.human) + gather_rows(object_, pairs.object)
        pair = pair + self.spatial(place.layout.to(pair.dtype))
        if self.roi is not None:
            pair = pair + self.roi.unions(coarse, place.unions)
        return pair + self.join(self.norm(pair))
