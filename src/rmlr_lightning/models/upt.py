"""The field's baseline: UPT's unary-pairwise head (arXiv 2112.01838), written from the text.

`UnaryPairwise` takes the place of the IRE: it makes pair tokens from entity tokens by cooperative
layers. `Competitive` takes the place of the IRM: pairs attend to each other. Sizes and details
differ from UPT's released head; its weights do not load here.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.models.dropout import Dropout
from rmlr_lightning.models.ire import MAX_LAYOUT
from rmlr_lightning.models.irm import Bank, verb_classifier
from rmlr_lightning.ops.masked import gather_rows, masked_mean
from rmlr_lightning.ops.spatial import SPATIAL_DIM, spatial_encoding
from rmlr_lightning.types import Entities, Pairs, Scene
from rmlr_lightning.vocabulary import Vocabulary


class Cooperative(nn.Module):
    """Attention among entities whose weights and messages depend on the layout of the two boxes.

    For head k, with unary token x and pairwise positional encoding y: weight_ij =
    softmax_j(w . [x_i; x_j; y_ij]), message = sum_j weight_ij (x_j * y_ij) (section 4.1,
    figure 3b).
    """

    def __init__(self, dim: int, pair_dim: int, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.heads = heads
        self.unary, self.pairwise = nn.Linear(dim, dim), nn.Linear(pair_dim, dim)
        self.weigh = nn.Linear(dim // heads * 3, 1)
        self.message, self.out = nn.Linear(dim // heads, dim // heads), nn.Linear(dim, dim)
        self.norm_attend, self.norm_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(), Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.dropout = Dropout(dropout)

    def forward(
        self,
        tokens: Float[Tensor, "B N C"],
        layout: Float[Tensor, "B N N E"],
        mask: Bool[Tensor, "B N"],
    ) -> Float[Tensor, "B N C"]:
        x = F.relu(self.unary(tokens)).unflatten(-1, (self.heads, -1))  # B N heads c
        y = F.relu(self.pairwise(layout)).unflatten(-1, (self.heads, -1))  # B N N heads c

        # w . [x_i; x_j; y_ij] as a sum of three products: no concatenation per pair
        w_i, w_j, w_ij = self.weigh.weight[0].chunk(3)
        weight = (x @ w_i)[:, :, None] + (x @ w_j)[:, None] + y @ w_ij + self.weigh.bias
        lowest = torch.finfo(weight.dtype).min
        weight = weight.masked_fill(~mask[:, None, :, None], lowest).softmax(2)

        message = self.message(x[:, None] * y)
        read = torch.einsum("bijk,bijkc->bikc", weight, message).flatten(2)
        tokens = self.norm_attend(tokens + self.dropout(self.out(F.relu(read))))
        return self.norm_feed(tokens + self.dropout(self.feed(tokens)))


class MultiBranchFusion(nn.Module):
    """Appearance times layout (SCG, arXiv 2012.06060, section 3.2).

    SCG sums branches, each a projection to a subspace and back. Together they are one projection
    to the full width and back, which is how it is computed here.
    """

    def __init__(self, appearance_dim: int, layout_dim: int, hidden: int) -> None:
        super().__init__()
        self.appearance = nn.Linear(appearance_dim, hidden)
        self.layout = nn.Linear(layout_dim, hidden)
        self.out = nn.Linear(hidden, hidden)

    def forward(self, appearance: Tensor, layout: Tensor) -> Tensor:
        return F.relu(self.out(F.relu(self.appearance(appearance) * self.layout(layout))))


class UnaryPairwise(nn.Module):
    """Entity tokens -> cooperative layers -> pair tokens of 2 x `representation` channels.

    Half of a pair token comes from its two entity tokens, half from the pooled memory of the
    image. The re-mined map is not used.
    """

    def __init__(
        self,
        token_dim: int,
        map_dim: int,
        memory_dim: int,
        dim: int = 256,
        representation: int = 512,
        layers: int = 2,
        heads: int = 8,
    ) -> None:
        super().__init__()
        self.dim = 2 * representation
        self.unary = nn.Linear(token_dim, dim)
        self.layout = nn.Sequential(
            nn.Linear(SPATIAL_DIM, 128),
            nn.ReLU(),
            nn.Linear(128, 256),
            nn.ReLU(),
            nn.Linear(256, representation),
            nn.ReLU(),
        )
        self.layers = nn.ModuleList(Cooperative(dim, representation, heads) for _ in range(layers))
        self.fuse = MultiBranchFusion(2 * dim, representation, representation)
        self.context = MultiBranchFusion(memory_dim, representation, representation)

    def forward(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B P D"]:
        entities = scene.entities
        count = entities.mask.shape[1]
        all_layouts = self._all_layouts(entities, scene.sizes)
        tokens = self.unary(entities.tokens)
        for layer in self.layers:
            tokens = layer(tokens, all_layouts, entities.mask)

        human, object_ = gather_rows(tokens, pairs.human), gather_rows(tokens, pairs.object)
        layout = gather_rows(all_layouts.flatten(1, 2), pairs.human * count + pairs.object)
        cells, cells_mask = scene.memory.flatten(2).transpose(1, 2), scene.memory_mask.flatten(1)
        context = masked_mean(cells, cells_mask)[:, None]
        appearance = torch.cat([human, object_], -1)
        return torch.cat([self.fuse(appearance, layout), self.context(context, layout)], -1)

    def _all_layouts(
        self, entities: Entities, sizes: Int[Tensor, "B 2"]
    ) -> Float[Tensor, "B N N E"]:
        """Pairwise positional encodings of all ordered pairs of entities."""
        count = entities.mask.shape[1]
        first = entities.boxes[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)
        second = entities.boxes[:, None].expand(-1, count, -1, -1).flatten(1, 2)
        encoding = spatial_encoding(first, second, sizes).clamp(-MAX_LAYOUT, MAX_LAYOUT)
        return self.layout(encoding.to(entities.tokens.dtype)).unflatten(1, (count, count))


class Competitive(nn.Module):
    """A standard transformer encoder layer over pair tokens, then the classifier (section 4.2)."""

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Bank | None = None,
        heads: int = 8,
        layers: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, dim, dropout, batch_first=True, norm_first=False)
            for _ in range(layers)
        )
        self.classify = verb_classifier(dim, len(vocabulary.verbs))

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        # an image without pairs attends to its padding: without any key this layer gives NaN
        padding = ~pairs.mask & pairs.mask.any(1, keepdim=True)
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=padding)
        return tokens, self.classify(tokens)
