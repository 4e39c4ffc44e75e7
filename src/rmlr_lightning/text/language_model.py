"""A frozen text encoder of transformers, with a fast tokenizer.

No other file of text/ imports transformers, so that a bank on disk is read without it.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, CLIPTextModelWithProjection

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import ask_hub


class HiddenStates(NamedTuple):
    """Output of the language model for a batch of texts; L tokens, padded."""

    states: Float[Tensor, "B L E"]  # last hidden states
    mask: Bool[Tensor, "B L"]
    offsets: Int[Tensor, "B L 2"]  # (start, end) of each token in characters
    pooled: Float[Tensor, "B E"] | None  # the model's own sentence embedding, if it has one


class LanguageModel:
    """Texts to hidden states.

    Args:
        name: for messages.
        model: any text model of transformers. Of an encoder-decoder only the encoder is used.
        tokenizer: a fast one, because it must report character offsets.
    """

    def __init__(self, name: str, model: nn.Module, tokenizer) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.projection = getattr(model, "text_projection", None)  # of CLIP and similar models
        if getattr(model.config, "is_encoder_decoder", False):
            model = model.get_encoder()
        self.encoder = getattr(model, "text_model", model).eval().requires_grad_(False)

    def __call__(self, texts: list[str]) -> HiddenStates:
        """Encode the texts as one batch.

        Raises:
            UserError: a text has more tokens than the model accepts.
        """
        tokens = self.tokenizer(
            texts, padding=True, return_offsets_mapping=True, return_tensors="pt"
        )
        offsets = tokens.pop("offset_mapping")
        mask = tokens["attention_mask"]

        # Tokenizers without a limit of their own report a huge number.
        limit = min(
            self.tokenizer.model_max_length,
            getattr(self.encoder.config, "max_position_embeddings", 10**9),
        )
        if mask.shape[1] > limit:
            raise UserError(
                f"{self.name} reads at most {limit} tokens; "
                f"shorten the text template of {max(texts, key=len)!r}"
            )

        out = self.encoder(**tokens)
        return HiddenStates(
            states=out.last_hidden_state.float(),
            mask=mask.bool(),
            offsets=offsets,
            pooled=getattr(out, "pooler_output", None),
        )

    def first_states(self, states: Float[Tensor, "B L E"]) -> Float[Tensor, "B E"]:
        """The hidden state of the first token of each text.

        Raises:
            UserError: the model is of CLIP's kind, whose causal attention hides the text from the
                first token.
        """
        if self.projection is not None:
            raise UserError(
                f"{self.name}: its first token does not attend to the text; "
                "set text.encoder.pooling=pooled"
            )
        return states[:, 0]

    def pooled_and_projected(
        self, hidden: HiddenStates
    ) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B L F"]]:
        """The model's own sentence embeddings, and the hidden states in the same space.

        Raises:
            UserError: the model has no sentence embedding of its own.
        """
        if hidden.pooled is None:
            raise UserError(
                f"{self.name} has no pooled sentence embedding; set text.encoder.pooling=mean"
            )
        if self.projection is None:
            return hidden.pooled.float(), hidden.states
        return self.projection(hidden.pooled).float(), self.projection(hidden.states)


def _load_model(name: str, revision: str | None) -> nn.Module:
    """The model; a CLIP's text tower with its projection.

    Raises:
        ValueError: weights of a CLIP are missing.
    """
    config = AutoConfig.from_pretrained(name, revision=revision)
    # A text tower by itself is a model without projection to AutoModel.
    is_tower = "CLIPTextModelWithProjection" in (config.architectures or ())
    kind = CLIPTextModelWithProjection if is_tower else AutoModel
    model, report = kind.from_pretrained(
        name, revision=revision, dtype=torch.float32, output_loading_info=True
    )
    # transformers fills what is missing with random numbers. Others than CLIP may lack a pooler.
    missing = sorted(report["missing_keys"])
    if missing and hasattr(model, "text_projection"):
        raise ValueError(f"{len(missing)} weights of its text tower are missing: {missing[0]}")
    return model


def load_language_model(name: str, revision: str | None) -> LanguageModel:
    """Load from a local folder or the hub.

    Raises:
        UserError: there is no such model, or its tokenizer is not a fast one.
    """
    try:
        ask_hub(name, revision=revision)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, use_fast=True)
        model = _load_model(name, revision)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        # transformers writes paragraphs; the first sentence is enough for one line.
        reason = " ".join(str(error).split()).split(". ")[0][:160]
        raise UserError(
            f"language model {name!r}: neither a folder nor found on the hub ({reason}); "
            "set text.encoder.name=FOLDER or text=minilm"
        ) from error

    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"language model {name!r} has no fast tokenizer, which is needed to align tokens with "
            "words; choose another"
        )
    return LanguageModel(name, model, tokenizer)
