"""The field's baseline: the unary-pairwise head of UPT (arXiv 2112.01838), our own implementation of its text.

As an IRE it makes pair tokens from entity tokens by cooperative layers; as an IRM it lets pairs compete.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.models.dropout import Dropout
from rmlr_lightning.models.irm import Bank, verb_classifier
from rmlr_lightning.ops.masked import gather_rows, masked_mean
from rmlr_lightning.ops.spatial import SPATIAL_DIM, spatial_encoding
from rmlr_lightning.types import Entities, Pairs, Scene
from rmlr_lightning.vocabulary import Vocabulary


class Cooperative(nn.Module):
    """Unary tokens attend to each other with weights and messages that depend on how the two boxes lie.

    For head k, with unary x and pairwise positional encoding y: weight_ij = softmax_j(w . [x_i; x_j; y_ij]), message =
    sum_j weight_ij (x_j * y_ij) (section 4.1, figure 3b).
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
        self, tokens: Float[Tensor, "B N C"], places: Float[Tensor, "B N N E"], mask: Tensor
    ) -> Float[Tensor, "B N C"]:
        x = F.relu(self.unary(tokens)).unflatten(-1, (self.heads, -1))  # B N k c
        y = F.relu(self.pairwise(places)).unflatten(-1, (self.heads, -1))  # B N N k c
        left, right, between = self.weigh.weight[0].chunk(3)
        weight = (x @ left)[:, :, None] + (x @ right)[:, None] + y @ between + self.weigh.bias
        weight = weight.masked_fill(~mask[:, None, :, None], torch.finfo(weight.dtype).min).softmax(
            2
        )
        read = torch.einsum("bijk,bijkc->bikc", weight, self.message(x[:, None] * y))
        tokens = self.norm_attend(tokens + self.dropout(self.out(F.relu(read).flatten(2))))
        return self.norm_feed(tokens + self.dropout(self.feed(tokens)))


class MultiBranchFusion(nn.Module):
    """Appearance times place (SCG, arXiv 2012.06060, section 3.2).

    Its branches, each a projection to a subspace and back, summed, are together one projection to the full width and
    back: that is how it is computed here.
    """

    def __init__(self, appearance_dim: int, place_dim: int, hidden: int) -> None:
        super().__init__()
        self.appearance = nn.Linear(appearance_dim, hidden)
        self.place = nn.Linear(place_dim, hidden)
        self.out = nn.Linear(hidden, hidden)

    def forward(self, appearance: Tensor, place: Tensor) -> Tensor:
        return F.relu(self.out(F.relu(self.appearance(appearance) * self.place(place))))


class UnaryPairwise(nn.Module):
    """Entity tokens -> cooperative layers -> pair tokens of 2 x `representation` channels.

    Half of a pair token comes from its two entity tokens, half from the image's pooled features. Nothing is re-mined:
    the map is ignored.
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
        self.places = nn.Sequential(
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
        places = self._all_places(entities, scene.sizes)
        tokens = self.unary(entities.tokens)
        for layer in self.layers:
            tokens = layer(tokens, places, entities.mask)
        both = torch.cat([gather_rows(tokens, pairs.human), gather_rows(tokens, pairs.object)], -1)
        place = gather_rows(places.flatten(1, 2), pairs.human * places.shape[1] + pairs.object)
        whole = masked_mean(scene.memory.flatten(2).transpose(1, 2), scene.memory_mask.flatten(1))
        return torch.cat([self.fuse(both, place), self.context(whole[:, None], place)], -1)

    def _all_places(self, entities: Entities, sizes: Tensor) -> Float[Tensor, "B N N E"]:
        count = entities.mask.shape[1]
        first = entities.boxes[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)
        second = entities.boxes[:, None].expand(-1, count, -1, -1).flatten(1, 2)
        layout = spatial_encoding(first, second, sizes).clamp(-14, 14).to(entities.tokens.dtype)
        return self.places(layout).unflatten(1, (count, count))


class Competitive(nn.Module):
    """Pairs compete: one standard transformer encoder layer over pair tokens, then the classifier (section 4.2)."""

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
        # an image without pairs keeps its first padded key: attention over no key at all is NaN in this layer
        padding = ~pairs.mask & pairs.mask.any(1, keepdim=True)
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=padding)
        return tokens, self.classify(tokens)
