"""The text bank: a vocabulary's phrases, encoded once, kept on disk under a name made from all that decides them.

A second use reads the file: no language model is loaded, transformers is not even imported.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.errors import UserError
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.text.prompts import TEMPLATE, Phrase, Say, phrases, plain
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary

LAYOUT = (
    1  # of the file and of what goes into its name; change it when `encode` gives other vectors
)


class Source:
    """Makes the bank of a vocabulary.

    Args:
        teacher: the language model.
        templates: each phrase is said in all of them; sentences are averaged, words follow one another.
        say: the words of an interaction (`prompts.plain`, `prompts.detailed`).
        folder: where banks are kept; None keeps none.
    """

    def __init__(
        self,
        teacher: TextEncoder,
        templates: Sequence[str] = (TEMPLATE,),
        say: Say = plain,
        folder: str | Path | None = None,
    ) -> None:
        self.teacher, self.templates, self.say = teacher, tuple(templates), say
        self.folder = None if folder is None else Path(folder)

    def phrases(self, vocabulary: Vocabulary) -> tuple[tuple[Phrase, ...], ...]:
        """For each HOI its phrase in each template."""
        return phrases(vocabulary, self.templates, self.say)

    def file(self, vocabulary: Vocabulary) -> Path | None:
        """Where the bank of this vocabulary is kept."""
        if self.folder is None:
            return None
        facts = [
            LAYOUT,
            self.teacher.fingerprint(),
            vocabulary.verbs,
            vocabulary.hois,
            self.phrases(vocabulary),
        ]
        return (
            self.folder
            / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}.safetensors"
        )

    def __call__(self, vocabulary: Vocabulary) -> TextEmbeddings:
        """From disk, or encoded now and kept."""
        file = self.file(vocabulary)
        if file is not None and file.is_file():
            return read(file)
        bank = encode(self.phrases(vocabulary), self.teacher)
        if file is not None:
            write(bank, file)
        return bank


def encode(said: Sequence[Sequence[Phrase]], teacher: TextEncoder) -> TextEmbeddings:
    """The bank of phrases: one row an HOI, with its phrase in each template."""
    encoded = iter(teacher.encode([phrase for row in said for phrase in row]))
    rows = [[next(encoded) for _ in row] for row in said]
    content = [torch.tensor([flag for phrase in row for flag in phrase.content]) for row in said]
    return TextEmbeddings(
        sentences=torch.stack([torch.stack([one.sentence for one in row]).mean(0) for row in rows]),
        words=pad_sequence(
            [torch.cat([one.words for one in row]) for row in rows], batch_first=True
        ),
        words_mask=pad_sequence([torch.ones_like(flags) for flags in content], batch_first=True),
        content=pad_sequence(content, batch_first=True),
    )


def read(file: Path) -> TextEmbeddings:
    """What `write` wrote."""
    try:
        return TextEmbeddings(**load_file(file))
    except (SafetensorError, TypeError, OSError) as error:
        raise UserError(f"{file}: not a text bank that can be read ({error}); delete it") from error


def write(bank: TextEmbeddings, file: Path) -> None:
    """All at once: other processes see the whole file or none. Two that write the same name write the same bank."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=file.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(
                    save({name: value.contiguous() for name, value in bank._asdict().items()})
                )
            os.chmod(scratch, 0o644)  # mkstemp makes it the owner's alone
            os.replace(scratch, file)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(
            f"text.folder={file.parent}: cannot be written ({error.strerror}); choose another"
        ) from error
