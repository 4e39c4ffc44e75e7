"""A tiny language model in the Hugging Face layout, made here with random weights."""

from pathlib import Path

import pytest
import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast

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


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_bert(tmp_path_factory.mktemp("bert")))


def centred_cosines(sentences: torch.Tensor) -> torch.Tensor:
    """Cosines between all sentences ("T E" to "T T") after their mean is taken away."""
    centred = torch.nn.functional.normalize(sentences - sentences.mean(0), dim=-1)
    return centred @ centred.T
