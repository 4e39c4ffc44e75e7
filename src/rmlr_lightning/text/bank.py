"""The embedding bank: text embeddings of a vocabulary's phrases, encoded once and kept on disk.

The file name is a hash of everything that decides the embeddings. A second use reads the file: no
language model is loaded and transformers is not imported.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_once
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.text.prompts import (
    TEMPLATE,
    Phrase,
    PhraseFunction,
    plain_phrase,
    vocabulary_phrases,
)
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

# Of the file and its name. Increase it when `encode_phrases` gives other embeddings.
FORMAT_VERSION = 1


class EmbeddingBank:
    """Vocabulary -> `TextEmbeddings`, with one row per HOI.

    Args:
        encoder: the language model.
        templates: sentence frames with one `{interaction}` each. An HOI has one phrase per
            template; sentence embeddings are averaged, words are concatenated.
        phrase: (verb, object) -> the phrase for the template's slot; see `prompts.plain_phrase`.
        folder: where the files are kept; None keeps none.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        templates: Sequence[str] = (TEMPLATE,),
        phrase: PhraseFunction = plain_phrase,
        folder: str | Path | None = None,
    ) -> None:
        self.encoder = encoder
        self.templates = tuple(templates)
        self.phrase = phrase
        self.folder = None if folder is None else Path(folder)

    def phrases(self, vocabulary: Vocabulary) -> tuple[tuple[Phrase, ...], ...]:
        """Per HOI, one phrase per template."""
        return vocabulary_phrases(vocabulary, self.templates, self.phrase)

    def path(self, vocabulary: Vocabulary) -> Path | None:
        """The file of this vocabulary's embeddings; None without a folder."""
        if self.folder is None:
            return None
        key = [
            FORMAT_VERSION,
            self.encoder.fingerprint(),
            vocabulary.verbs,
            vocabulary.hois,
            self.phrases(vocabulary),
        ]
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
        return self.folder / f"{name}.safetensors"

    def __call__(self, vocabulary: Vocabulary) -> TextEmbeddings:
        """Read from disk, or encode and keep.

        Raises:
            UserError: the language model cannot be loaded, or the file not read or written.
        """
        path = self.path(vocabulary)
        if path is None:
            return encode_phrases(self.phrases(vocabulary), self.encoder)

        # Of several processes one encodes, and the others wait for its file.
        write_once(
            path,
            lambda: to_bytes(encode_phrases(self.phrases(vocabulary), self.encoder)),
            way_out="set text.folder to a folder that exists and is yours",
        )
        return read_embeddings(path)


def encode_phrases(rows: Sequence[Sequence[Phrase]], encoder: TextEncoder) -> TextEmbeddings:
    """Embeddings with one row per HOI; `rows` has each HOI's phrases, one per template."""
    encoded = iter(encoder.encode([phrase for row in rows for phrase in row]))

    sentences, words, content = [], [], []
    for row in rows:
        phrases = [next(encoded) for _ in row]
        sentences.append(torch.stack([phrase.sentence for phrase in phrases]).mean(0))
        words.append(torch.cat([phrase.words for phrase in phrases]))
        content.append(torch.tensor([flag for phrase in row for flag in phrase.content]))

    masks = [torch.ones_like(flags) for flags in content]
    return TextEmbeddings(
        sentences=torch.stack(sentences),
        words=pad_sequence(words, batch_first=True),
        words_mask=pad_sequence(masks, batch_first=True),
        content=pad_sequence(content, batch_first=True),
    )


def to_bytes(embeddings: TextEmbeddings) -> bytes:
    """A safetensors file."""
    return save({name: value.contiguous() for name, value in embeddings._asdict().items()})


def read_embeddings(path: Path) -> TextEmbeddings:
    """Read what `to_bytes` made.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return TextEmbeddings(**load_file(path))
    except (SafetensorError, TypeError, OSError) as error:
        raise UserError(f"{path}: not a file of text embeddings ({error}); delete it") from error
