"""The IRM with text as its classifier: the door to verbs and HOIs that training never showed."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.attention import Block
from rmlr_lightning.models.irm import RATE, Bank
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.types import Pairs, Scene
from rmlr_lightning.vocabulary import Vocabulary


class TextIRM(nn.Module):
    """Transformer layers over an image's pairs, then the cosine with the phrase of <verb, the pair's object>.

    Our reading. The phrases' vectors are the classifier's weights and part of the checkpoint, so no text is needed at
    inference. An HOI without training pairs is scored like any other.

    Args:
        bank: None leaves the vectors at zero, to be filled from a checkpoint.
        text_dim: width of the language model.
        scale: of the cosines at the start; learned.
    """

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Bank | None = None,
        heads: int = 4,
        hidden: int = 256,
        layers: int = 1,
        dropout: float = 0.1,
        head_dim: int | None = None,
        text_dim: int = 384,
        scale: float = 10.0,
    ) -> None:
        super().__init__()
        blocks = (
            Block(dim, heads, hidden, dropout=dropout, head_dim=head_dim) for _ in range(layers)
        )
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, text_dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(-math.log((1 - RATE) / RATE)))
        phrases = torch.zeros(len(vocabulary.hois), text_dim)
        if bank is not None:
            vectors = bank().sentences
            if vectors.shape[1] != text_dim:
                raise UserError(
                    f"model.irm.text_dim={text_dim}: the language model's width is {vectors.shape[1]}"
                )
            phrases = F.normalize(vectors - vectors.mean(0), dim=-1)
        self.register_buffer("phrases", phrases)
        place = torch.full(
            vocabulary.valid_pairs().shape, len(vocabulary.hois)
        )  # the last row stands for "no such HOI"
        for hoi, (verb, thing) in enumerate(vocabulary.hois):
            place[thing, verb] = hoi
        self.register_buffer("place", place, persistent=False)

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        for block in self.blocks:
            tokens = block(tokens, pairs.mask)
        tokens = self.norm(tokens)
        with torch.autocast(tokens.device.type, enabled=False):  # cosines need more than eight bits
            similar = F.normalize(self.project(tokens.float()), dim=-1) @ self.phrases.T  # B P T
        objects = gather_rows(scene.entities.labels, pairs.object)
        logits = torch.gather(F.pad(similar, (0, 1)), 2, self.place[objects])
        return tokens, logits * self.log_scale.exp().clamp_max(100) + self.bias
