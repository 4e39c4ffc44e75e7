"""A tiny language model in the Hugging Face layout, made here with random weights."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import BertWordPieceTokenizer
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    CLIPConfig,
    CLIPModel,
    CLIPTokenizerFast,
)

# "riding" and "bicycle" are single tokens; "straddling", "umbrella" and most other words are split
# into tokens of one to three letters
WHOLE_WORDS = "a photo of person riding bicycle , bi ##cy strad ##dling um ##bre ##lla".split()
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
TOKENS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *WHOLE_WORDS,
    *LETTERS[1:],
    *(f"##{letter}" for letter in LETTERS),
]


def write_bert(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(TOKENS), encoding="utf-8")
    vocabulary = {token: index for index, token in enumerate(TOKENS)}
    pieces = BertWordPieceTokenizer(vocabulary, lowercase=True)
    BertTokenizerFast(tokenizer_object=pieces._tokenizer, model_max_length=256).save_pretrained(
        folder
    )
    config = BertConfig(
        vocab_size=len(TOKENS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def write_clip(folder: Path, seed: int = 0) -> Path:
    """A CLIP of 12 joint channels; "photo" and "riding" are single tokens, other words letters."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [*(chr(code) for code in range(ord("a"), ord("z") + 1)), ",", "-"]
    merges = ["r i", "ri d", "rid i", "ridi n", "ridin g</w>", "p h", "ph o", "pho t", "phot o</w>"]
    ends = ["<|startoftext|>", "<|endoftext|>"]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [*(merge.replace(" ", "") for merge in merges), *ends]
    ids = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    tokenizer = CLIPTokenizerFast(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    )
    tokenizer.save_pretrained(folder)

    layers = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    start, end = (ids[token] for token in ends)
    text = {"vocab_size": len(ids), "hidden_size": 16, "max_position_embeddings": 120}
    text |= {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    vision = {"hidden_size": 24, "image_size": 32, "patch_size": 8}
    torch.manual_seed(seed)
    config = CLIPConfig(text_config=layers | text, vision_config=layers | vision, projection_dim=12)
    CLIPModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_clip(tmp_path_factory.mktemp("clip")))


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_bert(tmp_path_factory.mktemp("bert")))


def centred_cosines(sentences: torch.Tensor) -> torch.Tensor:
    """Cosines between all sentences ("T E" to "T T") after their mean is taken away."""
    centred = torch.nn.functional.normalize(sentences - sentences.mean(0), dim=-1)
    return centred @ centred.T
