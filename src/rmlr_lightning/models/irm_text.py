"""The IRM with text embeddings as its classifier, for verbs and HOIs without training examples."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.attention import Block
from rmlr_lightning.models.irm import INITIAL_BIAS, Bank
from rmlr_lightning.ops.masked import at_least_float32
from rmlr_lightning.types import Pairs, Scene
from rmlr_lightning.vocabulary import Vocabulary

MAX_SCALE = 100  # of the cosines, as in CLIP


class TextIRM(nn.Module):
    """Transformer layers over pairs, then the cosine with the phrase of <verb, object class>.

    Our reading. The embeddings of the phrases are the classifier's weights and part of the
    checkpoint, so inference needs no text. A HOI without training pairs is scored like any other.

    Args:
        bank: None leaves the embeddings at zero, to be filled from a checkpoint.
        text_dim: width of the text encoder; None takes that of `bank`.
        scale: initial factor of the cosines; learned.

    Raises:
        UserError: the text encoder has another width than `text_dim`, or neither is given.
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
        text_dim: int | None = None,
        scale: float = 10.0,
    ) -> None:
        super().__init__()
        embeddings = bank().sentences if bank is not None else None
        if text_dim is None:
            # `rmlr-train` keeps the width in its checkpoints, which are read without text
            if embeddings is None:
                raise UserError("model.irm.text_dim: give the text encoder's width, or text=...")
            text_dim = embeddings.shape[1]
        self.text_dim = text_dim
        self.blocks = nn.ModuleList(
            Block(dim, heads, hidden, dropout=dropout, head_dim=head_dim) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, text_dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(INITIAL_BIAS))

        phrases = torch.zeros(len(vocabulary.hois), text_dim)
        if embeddings is not None:
            width = embeddings.shape[1]
            if width != text_dim:
                raise UserError(
                    f"model.irm.text_dim={text_dim}: the text encoder's width is {width}"
                )
            # phrases of one template are similar; without their mean the cosines spread
            phrases = F.normalize(embeddings - embeddings.mean(0), dim=-1)
        self.register_buffer("phrases", phrases)

        # an invalid object-verb pair points to a column of zeros after the last HOI
        table = torch.from_numpy(vocabulary.hoi_table())
        table = torch.where(table >= 0, table, len(vocabulary.hois))
        self.register_buffer("hoi_table", table, persistent=False)

    def forward(
        self, tokens: Float[Tensor, "B P D"], scene: Scene, pairs: Pairs
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        for block in self.blocks:
            tokens = block(tokens, pairs.mask)
        tokens = self.norm(tokens)

        # cosines need more than bfloat16's eight bits
        with torch.autocast(tokens.device.type, enabled=False):
            projected = F.normalize(self.project(at_least_float32(tokens)), dim=-1)
            cosines = F.pad(projected @ self.phrases.T, (0, 1))  # B P T+1
        logits = torch.gather(cosines, 2, self.hoi_table[pairs.object_class])
        return tokens, logits * self.log_scale.exp().clamp_max(MAX_SCALE) + self.bias
