"""UPT's unary-pairwise head (arXiv 2112.01838), the field's baseline, batched and padded.

`UnaryPairwise` takes the place of the IRE: cooperative layers among the entities of an image, then
pair tokens. `Competitive` takes the place of the IRM: a transformer layer among pairs, then the
classifier. With DETR's widths both have the weights of UPT's released heads
(`models.released`) and give their logits.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.attention import attend
from rmlr_lightning.models.dropout import Dropout
from rmlr_lightning.models.irm import Bank, verb_classifier
from rmlr_lightning.models.remine import mask_of
from rmlr_lightning.ops.masked import gather_rows, masked_mean
from rmlr_lightning.ops.spatial import SPATIAL_DIM, pixel_encoding
from rmlr_lightning.types import Entities, Pairs, Scene
from rmlr_lightning.vocabulary import Vocabulary

NORM_EPS = 1e-12  # of most of UPT's layer normalisations
BRANCHES = 16  # of multi-branch fusion


class FeedForwardNorm(nn.Module):
    """Two linear layers with GELU between, dropout of their result, normalised sum."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.norm, self.dropout = nn.LayerNorm(dim, eps=NORM_EPS), Dropout(dropout)

    def forward(self, tokens: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        return self.norm(tokens + self.dropout(self.out(F.gelu(self.hidden(tokens)))))


class Cooperative(nn.Module):
    """Attention among entities whose weights and messages depend on the layout of two boxes.

    Entity j receives from every entity i, itself included. For each head, with unary token u and
    pairwise token p: weight_ij = softmax over i of w . [u_i; u_j; p_ij], message_j =
    sum over i of weight_ij M(u_i * p_ij), where M is a linear layer of the head (UPT, section 4.1,
    figure 3b; which of the two entities sends is as in the released code).

    Args:
        dim: width of entity tokens.
        representation: width of unary and pairwise tokens, shared by the heads.
    """

    def __init__(self, dim: int, representation: int, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        width = representation // heads
        self.heads = heads
        self.unary = nn.Linear(dim, representation)
        self.pairwise = nn.Linear(representation, representation)
        # one row, or one matrix, per head
        self.weigh = nn.Parameter(_uniform(3 * width, heads, 3 * width))
        self.weigh_bias = nn.Parameter(_uniform(3 * width, heads))
        self.message = nn.Parameter(_uniform(width, heads, width, width))
        self.message_bias = nn.Parameter(_uniform(width, heads, width))
        self.aggregate = nn.Linear(representation, dim)
        self.norm, self.dropout = nn.LayerNorm(dim), Dropout(dropout)
        self.feed = FeedForwardNorm(dim, 4 * dim, dropout)

    def forward(
        self,
        tokens: Float[Tensor, "B N C"],
        layouts: Float[Tensor, "B N N E"],
        mask: Bool[Tensor, "B N"],
    ) -> Float[Tensor, "B N C"]:
        """The updated tokens.

        Args:
            layouts: of sender (first) and receiver (second).
        """
        unary = F.relu(self.unary(tokens)).unflatten(-1, (self.heads, -1))  # B N heads c
        pairwise = F.relu(self.pairwise(layouts)).unflatten(-1, (self.heads, -1))  # B N N heads c

        # w . [u_i; u_j; p_ij] as a sum of three products: no concatenation per pair
        sender, receiver, layout = self.weigh.chunk(3, -1)
        weights = (
            (unary * sender).sum(-1)[:, :, None]
            + (unary * receiver).sum(-1)[:, None]
            + torch.einsum("bijhc,hc->bijh", pairwise, layout)
            + self.weigh_bias
        )
        # Over senders. A finite number in place of -inf: without any sender there is no NaN.
        lowest = torch.finfo(weights.dtype).min
        weights = weights.masked_fill(~mask[:, :, None, None], lowest).softmax(1)

        # the weights add up to 1, so the linear layer may follow the sum: N products, not N x N
        read = torch.einsum("bijh,bijhc->bjhc", weights, unary[:, :, None] * pairwise)
        messages = torch.einsum("bjhc,hdc->bjhd", read, self.message) + self.message_bias
        update = self.dropout(self.aggregate(F.relu(messages.flatten(2))))
        return self.feed(self.norm(tokens + update))


class MultiBranchFusion(nn.Module):
    """Appearance times layout (SCG, arXiv 2012.06060, section 3.2).

    SCG sums 16 branches, each a projection to a subspace and back. Together they are one
    projection to the full width and back, which is how it is computed here.

    Args:
        appearance_dim: width of each part of the appearance.
        parts: how many parts; the first layer reads their concatenation.
    """

    def __init__(self, appearance_dim: int, layout_dim: int, hidden: int, parts: int = 1) -> None:
        super().__init__()
        self.appearance = nn.Linear(parts * appearance_dim, hidden)
        self.layout = nn.Linear(layout_dim, hidden)
        self.out = nn.Linear(hidden, hidden)
        # initial weights as of 16 separate layers
        branch = hidden // BRANCHES or 1
        with torch.no_grad():
            self.out.weight.copy_(_uniform(branch, hidden, hidden))
            self.out.bias.copy_(_uniform(branch, BRANCHES, hidden).sum(0))

    def project(self, part: int, appearance: Tensor) -> Tensor:
        """The share of one part in the first layer, so that it is computed once per entity."""
        count = appearance.shape[-1]
        columns = slice(part * count, (part + 1) * count)
        bias = self.appearance.bias if part == 0 else None
        return F.linear(appearance, self.appearance.weight[:, columns], bias)

    def forward(self, projected: Tensor, layout: Tensor) -> Tensor:
        """Fused tokens, from the sum of the projected parts and the layout."""
        return F.relu(self.out(F.relu(projected * self.layout(layout))))


class UnaryPairwise(nn.Module):
    """Entity tokens -> cooperative layers -> pair tokens of 2 x `representation` channels.

    Half of a pair token comes from its two entity tokens, half from the mean of the backbone's
    last map (`model/remine=c5`). UPT takes the mean over the padding of a batch, too, but
    evaluates single images, which have none; here padding never counts.

    Args:
        token_dim: width of the detector's tokens.
        map_dim: channels of the map.
        memory_dim: not used.
        representation: width of unary, pairwise and layout tokens.

    Raises:
        UserError: no map.
    """

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        memory_dim: int,
        representation: int = 512,
        layers: int = 2,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not map_dim:
            raise UserError("model/ire=upt reads a map: choose model/remine=c5, not none")
        self.dim = 2 * representation
        self.layout = nn.Sequential(
            nn.Linear(SPATIAL_DIM, 128),
            nn.ReLU(),
            nn.Linear(128, 256),
            nn.ReLU(),
            nn.Linear(256, representation),
            nn.ReLU(),
        )
        self.layers = nn.ModuleList(
            Cooperative(token_dim, representation, heads, dropout) for _ in range(layers)
        )
        self.fuse = MultiBranchFusion(token_dim, representation, representation, parts=2)
        self.context = MultiBranchFusion(map_dim, representation, representation)

    def forward(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B P D"]:
        entities = scene.entities
        count = entities.mask.shape[1]
        all_layouts = self._all_layouts(entities, scene)
        tokens = entities.tokens
        for layer in self.layers:
            tokens = layer(tokens, all_layouts, entities.mask)

        # What belongs to one entity, or to the image, is computed before it is repeated for pairs.
        layout = gather_rows(all_layouts.flatten(1, 2), pairs.human * count + pairs.object)
        human = gather_rows(self.fuse.project(0, tokens), pairs.human)
        object_ = gather_rows(self.fuse.project(1, tokens), pairs.object)
        context = self.context.project(0, self._image_feature(scene, features))[:, None]
        return torch.cat([self.fuse(human + object_, layout), self.context(context, layout)], -1)

    def _all_layouts(self, entities: Entities, scene: Scene) -> Float[Tensor, "B N N E"]:
        """Layout tokens of all ordered pairs of entities."""
        count = entities.mask.shape[1]
        first = entities.boxes[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)
        second = entities.boxes[:, None].expand(-1, count, -1, -1).flatten(1, 2)
        encoding = pixel_encoding(first, second, scene.sizes)
        return self.layout(encoding.to(entities.tokens.dtype)).unflatten(1, (count, count))

    def _image_feature(
        self, scene: Scene, features: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B C"]:
        """The mean of the map over the image."""
        real = mask_of(scene, features).flatten(1)
        return masked_mean(features.flatten(2).transpose(1, 2), real)


class Competitive(nn.Module):
    """A transformer encoder layer over the pairs of an image, then the classifier (section 4.2).

    Args:
        dim: width of pair tokens.
        vocabulary: its verbs are the classes.
        bank: not used.
        hidden: width of the feed-forward.
    """

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Bank | None = None,
        heads: int = 8,
        hidden: int = 2048,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.aggregate = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.dropout = Dropout(dropout)
        self.feed = FeedForwardNorm(dim, hidden, dropout)
        self.classify = verb_classifier(dim, len(vocabulary.verbs))

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        # Pairs compete for the verbs of an image. A normalisation follows each sum, as in UPT.
        query, key, value = (
            layer(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        read = attend(query, key, value, pairs.mask, self.dropout).transpose(1, 2).flatten(2)
        tokens = self.feed(self.norm(tokens + self.dropout(self.aggregate(read))))
        return tokens, self.classify(tokens)


def _uniform(inputs: int, *shape: int) -> Tensor:
    """Initial weights of a linear layer with so many inputs, as `nn.Linear` draws them."""
    bound = 1 / math.sqrt(inputs)
    return torch.empty(shape).uniform_(-bound, bound)
