"""Tiny models of the architectures that the pages name, in the layout of the hub's cache."""

from pathlib import Path

import torch
from transformers import MobileBertConfig, MobileBertModel, MPNetConfig, MPNetModel, MPNetTokenizer

from tests.text.conftest import TOKENS, write_bert, write_clip

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_hub_cache(cache: Path) -> None:
    """Random weights under the ids and revisions of the real ones."""
    bert = write_bert(_snapshot(cache, "google/mobilebert-uncased", "COMMIT"))
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = MobileBertConfig(
        vocab_size=len(TOKENS),
        embedding_size=16,
        intrabottleneck_size=16,
        intermediate_size=32,
        **sizes,
    )
    MobileBertModel(config).save_pretrained(bert)

    mpnet = _snapshot(cache, "sentence-transformers/all-mpnet-base-v2", "main")
    names = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}
    vocabulary = {names.get(token, token): index for index, token in enumerate(TOKENS)}
    MPNetTokenizer(vocab=vocabulary).save_pretrained(mpnet)
    config = MPNetConfig(vocab_size=len(vocabulary), intermediate_size=32, pad_token_id=0, **sizes)
    MPNetModel(config).save_pretrained(mpnet)

    write_clip(_snapshot(cache, "openai/clip-vit-base-patch32", "main"))


def _snapshot(cache: Path, name: str, revision: str) -> Path:
    """The folder of a model's files, to which the revision points."""
    torch.manual_seed(0)
    home = cache / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / revision).write_text(COMMIT)
    folder = home / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    return folder
