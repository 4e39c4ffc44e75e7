"""What a run depends on beside its configuration, kept in its folder as environment.json."""

import hashlib
import json
import platform
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.files import sha256_file, write_atomic
from rmlr_lightning.runs.config import PACKAGE, conf_dir
from rmlr_lightning.runs.config_hash import config_hash
from rmlr_lightning.runs.secrets import recorded_command

FILE = "environment.json"
PACKAGES = (
    "rmlr-lightning",
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "transformers",
    "timm",
    "numpy",
    "scipy",
    "pillow",
    "opencv-python-headless",
    "pycocotools",
    "hydra-core",
    "omegaconf",
)


def write_environment(
    cfg: DictConfig,
    detector: str | None,
    text_encoder: str | None = None,
    features: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write environment.json into the output folder.

    It holds the command, versions, the state of the git repository, the SHA-256 hash of what
    determines the result in the configuration, and that of every file that it names (annotations,
    weights). Images are not read.

    Args:
        detector: the hash of the detector's weights.
        text_encoder: that of the text encoder's; None where no phrase was read.
        features: for each split the keys of the feature caches that are read. They depend on the
            contents of the images.

    Raises:
        UserError: the file cannot be written.
    """
    paths = sorted(set(_files(OmegaConf.to_container(cfg, resolve=True))))
    content = {
        "command": shlex.join(recorded_command()),
        "machine": platform.platform(),
        **code(),
        "config_sha256": config_hash(cfg),
        "files": {path: sha256_file(path) for path in paths},
        "detector": detector,
        "text_encoder": text_encoder,
        "features": features or {},
    }
    write_atomic(Path(cfg.paths.output, FILE), json.dumps(content, indent=1).encode())


def read_environment(folder: str | Path) -> dict[str, Any]:
    """What `write_environment` wrote into the folder of a run; empty where there is none."""
    path = Path(folder, FILE)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def code() -> dict[str, Any]:
    """Versions of Python and packages, and the state of the git repository."""
    return {
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "git": git_state(),
    }


def git_state() -> dict[str, str] | None:
    """The commit of the package, and the hash of uncommitted changes of package and conf/.

    None outside of a git repository.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    state = {"commit": commit.strip()}
    changes = _git("diff", "HEAD", "--", str(PACKAGE), conf_dir())
    if changes:
        state["changes"] = hashlib.sha256(changes.encode()).hexdigest()
    return state


def differences(folder: Path) -> list[str]:
    """How code and files differ from those of the run in a folder, one line for each."""
    try:
        before = json.loads((folder / FILE).read_text(encoding="utf-8"))
        now = code()
        lines = [
            f"{name} {before['packages'].get(name)} is now {now['packages'].get(name)}"
            for name in sorted(before["packages"].keys() | now["packages"].keys())
            if before["packages"].get(name) != now["packages"].get(name)
        ]
        if before["git"] != now["git"]:
            lines.append("the code of rmlr_lightning (git) is another one")
        for path, digest in before["files"].items():
            if not Path(path).is_file():
                lines.append(f"{path} is missing")
            elif sha256_file(path) != digest:
                lines.append(f"{path} has another content")
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return [f"{folder / FILE} is missing or damaged, so nothing could be compared"]
    return lines


def _files(node: Any) -> Iterator[str]:
    """All values that are paths of files."""
    if isinstance(node, dict):
        for value in node.values():
            yield from _files(value)
    elif isinstance(node, list):
        for value in node:
            yield from _files(value)
    elif isinstance(node, str) and "\0" not in node and len(node) < 4096 and Path(node).is_file():
        yield node


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(PACKAGE), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError, UnicodeDecodeError):
        return None
