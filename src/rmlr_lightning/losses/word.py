"""Word-level alignment: a pair's token attends to the words of its true phrases."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.losses.alignment import Alignment, centred, choice
from rmlr_lightning.types import Positives, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

# in place of -inf where a whole row may be masked: finite, and its exponential is 0
VERY_LOW = -1e4


class WordAlignment(Alignment):
    """Cross-modal attention over a variable number of words, then distillation.

    The paper's text gives this outline. That the query is the token itself, that only content
    words (verb, particle, object) are keys, and that the target is detached is our reading: with a
    learned query and a learned target, trials failed. Arguments not listed here are those of
    `Alignment`.

    Args:
        form: "cosine": 1 - cosine with the attended words; "l1": mean absolute difference of the
            unit vectors; "infonce": the row's own attended words against those of the batch's
            other rows, rows with the same phrases left out. These other rows are those of one
            process, one accumulated batch and, in a crowded batch, one of its parts
            (`model.max_pairs`): unlike all other losses, "infonce" has fewer negatives where a
            step is divided, because the targets of other batches do not exist yet. Training notes
            that.
        temperature: of the attention, and of infonce.
        content: attend to content words only; False attends to every word of the phrase.
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
        forms = {"cosine": self.cosine, "l1": self.l1, "infonce": self.infonce}
        self.form, self.form_name = choice("form", form, forms), form
        self.compares_rows = form == "infonce"
        self.temperature, self.detach = temperature, detach

        # all words of the vocabulary in one list, with the phrase of each
        embeddings = bank()
        keys = embeddings.words_mask
        if content:
            keys = keys & embeddings.content
        phrase, position = torch.nonzero(keys, as_tuple=True)
        words = centred(embeddings.words, keys)[phrase, position]
        self.register_buffer("words", words, persistent=False)  # (words, E)
        self.register_buffer("word_phrases", phrase, persistent=False)  # (words,)
        self.register_buffer("word_positions", position, persistent=False)  # in the phrase

    def options(self) -> tuple:
        form = self.form_name, self.temperature, self.detach, len(self.words)
        return *super().options(), *form

    def row_losses(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R"]:
        return self.form(positives, projected, self.attended_words(positives, projected))

    def attended_words(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R E"]:
        """Mean of the words of each row's true phrases, weighted by attention, as a unit vector.

        0 for a row without true phrases.
        """
        return F.normalize(self.attention(positives, projected) @ self.words, dim=-1)

    def attention(
        self, positives: Positives, projected: Float[Tensor, "*sites R E"]
    ) -> Float[Tensor, "*sites R words"]:
        """Weights of the words of each row's true phrases; their sum is 1, or 0 without phrases."""
        query = projected.detach() if self.detach else projected
        is_key = positives.phrases[:, self.word_phrases]  # R words
        logits = torch.where(is_key, query @ self.words.T / self.temperature, VERY_LOW)
        return logits.softmax(-1) * is_key

    def cosine(
        self,
        positives: Positives,
        projected: Float[Tensor, "*sites R E"],
        target: Float[Tensor, "*sites R E"],
    ) -> Float[Tensor, "*sites R"]:
        return 1 - (projected * target).sum(-1)

    def l1(
        self,
        positives: Positives,
        projected: Float[Tensor, "*sites R E"],
        target: Float[Tensor, "*sites R E"],
    ) -> Float[Tensor, "*sites R"]:
        return (projected - target).abs().mean(-1)

    def infonce(
        self,
        positives: Positives,
        projected: Float[Tensor, "*sites R E"],
        target: Float[Tensor, "*sites R E"],
    ) -> Float[Tensor, "*sites R"]:
        logits = projected @ target.mT / self.temperature

        # two rows have the same phrases if their intersection is as large as both of them
        phrases = positives.phrases.to(logits.dtype)
        count = phrases.sum(1)
        same_phrases = phrases @ phrases.T == torch.maximum(count[:, None], count)
        own = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
        candidates = own | (~same_phrases & positives.mask)
        return torch.where(candidates, logits, -torch.inf).logsumexp(-1) - logits.diagonal(
            dim1=-2, dim2=-1
        )
