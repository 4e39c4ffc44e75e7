"""A text encoder of transformers, frozen, with a fast tokenizer. The only file here that imports transformers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from rmlr_lightning.errors import UserError


class LanguageModel:
    """Texts to hidden states."""

    def __init__(self, name: str, model: nn.Module, tokenizer) -> None:
        self.name, self.tokenizer = name, tokenizer
        self.projection = getattr(model, "text_projection", None)  # CLIP and its kin
        encoder = (
            model.get_encoder() if getattr(model.config, "is_encoder_decoder", False) else model
        )
        self.encoder = getattr(encoder, "text_model", encoder).eval().requires_grad_(False)

    def __call__(
        self, texts: list[str]
    ) -> tuple[
        Float[Tensor, "B L E"],
        Bool[Tensor, "B L"],
        Int[Tensor, "B L 2"],
        Float[Tensor, "B E"] | None,
    ]:
        """Last hidden states, their mask, the characters of each token, and what the model pools by itself."""
        limit = min(
            self.tokenizer.model_max_length,
            getattr(self.encoder.config, "max_position_embeddings", 10**9),
        )
        tokens = self.tokenizer(
            texts, padding=True, return_offsets_mapping=True, return_tensors="pt"
        )
        offsets, mask = tokens.pop("offset_mapping"), tokens["attention_mask"]
        if mask.shape[1] > limit:
            longest = max(texts, key=len)
            raise UserError(
                f"{self.name} reads at most {limit} tokens; shorten the text template of {longest!r}"
            )
        out = self.encoder(**tokens)
        return (
            out.last_hidden_state.float(),
            mask.bool(),
            offsets,
            getattr(out, "pooler_output", None),
        )

    def first(self, states: Float[Tensor, "B L E"]) -> Float[Tensor, "B E"]:
        """The state of the first token."""
        if self.projection is not None:
            raise UserError(
                f"{self.name}: its first token sees no text; take text.teacher.pooling=pooled"
            )
        return states[:, 0]

    def pooled(
        self, pooled: Float[Tensor, "B E"] | None, states: Float[Tensor, "B L E"]
    ) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B L F"]]:
        """The model's own sentence vectors, and the states in the same space."""
        if pooled is None:
            raise UserError(f"{self.name} pools nothing by itself; take text.teacher.pooling=mean")
        if self.projection is None:
            return pooled.float(), states
        return self.projection(pooled).float(), self.projection(states)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """A model of this size loads in a second; its bar would only be in the way."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def load(name: str, revision: str | None) -> LanguageModel:
    """From a local folder or the hub."""
    try:
        with _no_progress_bars():
            tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, use_fast=True)
            model = AutoModel.from_pretrained(name, revision=revision, dtype=torch.float32)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        reason = " ".join(str(error).split()).split(". ")[0][:160]
        raise UserError(
            f"language model {name!r}: neither a folder nor to be had from the hub ({reason}); "
            "set text.teacher.name=FOLDER or take text=minilm"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"language model {name!r} has no fast tokenizer, which aligns tokens to words; choose another"
        )
    return LanguageModel(name, model, tokenizer)
