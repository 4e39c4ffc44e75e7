"""Word-level alignment: a pair's token reads the words of its true phrases and is drawn to what it read."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.losses.alignment import Alignment, Positives, centred, chosen
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary


class WordAlignment(Alignment):
    """Cross-modal attention over words of variable number, then distillation towards what was attended to.

    The paper says so much; that the token itself asks, that only content words (verb, particle, object) answer, and
    that the target is detached is our reading: with a learned query and a target that learns, trials failed.

    Args:
        form: "cosine": 1 - cosine with what was attended to; "l1": mean absolute difference of the unit vectors;
            "infonce": the row's own reading against the batch's others, rows with the same phrases left out.
        temperature: of the attention, and of infonce.
        content: read content words only; False reads every word of the phrase.
        detach: no gradient through the attention.
    """

    def __init__(
        self,
        dim: int,
        vocabulary: Vocabulary,
        bank: Callable[[], TextEmbeddings],
        form: str = "cosine",
        temperature: float = 0.1,
        content: bool = True,
        detach: bool = True,
        **options: object,
    ) -> None:
        super().__init__(dim, vocabulary, bank, **options)
        self.form = chosen(
            "form", form, {"cosine": self.cosine, "l1": self.l1, "infonce": self.infonce}
        )
        self.temperature, self.detach = temperature, detach
        vectors = bank()
        read = vectors.words_mask & (vectors.content if content else vectors.words_mask)
        phrase, place = torch.nonzero(read, as_tuple=True)
        self.register_buffer(
            "words", centred(vectors.words, read)[phrase, place], persistent=False
        )  # (words, E)
        self.register_buffer("phrase_of", phrase, persistent=False)

    def read(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R E"]:
        """What each row attends to among the words of its true phrases; unit vectors, 0 where it has none."""
        asked = projected.detach() if self.detach else projected
        own = rows.phrases[:, self.phrase_of]
        logits = torch.where(own, asked @ self.words.T / self.temperature, -1e4)
        return F.normalize(torch.where(own, logits.softmax(1), 0.0) @ self.words, dim=-1)

    def rows(self, rows: Positives, projected: Float[Tensor, "R E"]) -> Float[Tensor, "R"]:
        projected = F.normalize(projected, dim=-1)
        return self.form(rows, projected, self.read(rows, projected))

    def cosine(self, rows: Positives, projected: Tensor, target: Tensor) -> Float[Tensor, "R"]:
        return 1 - (projected * target).sum(-1)

    def l1(self, rows: Positives, projected: Tensor, target: Tensor) -> Float[Tensor, "R"]:
        return (projected - target).abs().mean(-1)

    def infonce(self, rows: Positives, projected: Tensor, target: Tensor) -> Float[Tensor, "R"]:
        logits = projected @ target.T / self.temperature
        share = rows.phrases.float()
        alike = share @ share.T == torch.maximum(
            share.sum(1)[:, None], share.sum(1)
        )  # the same set of phrases
        itself = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        rivals = itself | (~alike & rows.mask)
        return -(logits.diagonal() - torch.where(rivals, logits, -torch.inf).logsumexp(1))
