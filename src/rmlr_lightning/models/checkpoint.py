"""Checkpoints: reading them safely, and what they hold beside weights."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from rmlr_lightning.detectors.checkpoint_file import cause_of_damage, why_not_read
from rmlr_lightning.errors import UserError, raise_limits
from rmlr_lightning.ops.finite import check_weights
from rmlr_lightning.vocabulary import MAX_TABLE, Vocabulary, vcoco

# Grows when weights or contents of a checkpoint change; older ones are refused.
CHECKPOINT_FORMAT = 4

# Nodes and characters; configurations of the package have some 10,000.
MAX_CONFIG = 10**6
MAX_NAME = 1000  # characters of a class's name


def read_file(path: str | Path) -> Any:
    """The content of a checkpoint, on the CPU. Tensors and plain values only; no code is run.

    Raises:
        UserError: no such file, damaged, or with objects of other classes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such checkpoint; `rmlr-train` (or `make train`) writes one to "
            "outputs/.../checkpoints/"
        )
    _check_archive(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # a damaged pickle can fail in any way
    except Exception as error:
        raise_limits(error)
        raise UserError(f"{path}: {why_not_read(path, error)}") from error


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """A checkpoint of rmlr-train, on the CPU.

    Raises:
        UserError: see `read_file`; or not a checkpoint, of an older version, or with weights that
            are not finite.
    """
    checkpoint = read_file(path)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise UserError(f"{path}: not a checkpoint of Lightning's (no state_dict)")
    version = checkpoint.get("format")
    if type(version) is not int or version != CHECKPOINT_FORMAT:
        raise UserError(
            f"{path}: not of this version of rmlr_lightning (checkpoint format "
            f"{str(version)[:20]}, expected {CHECKPOINT_FORMAT}); train again"
        )
    check_weights(checkpoint["state_dict"], str(path))
    return checkpoint


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A checkpoint of `HOITask`; see `load_checkpoint`.

    Raises:
        UserError: as there, or a checkpoint of another task.
    """
    checkpoint = load_checkpoint(path)
    config, vocabulary = checkpoint.get("config"), checkpoint.get("vocabulary")
    has_vocabulary = isinstance(vocabulary, dict) and set(Vocabulary._fields) <= vocabulary.keys()
    has_config = isinstance(config, dict) and {"task", "data", "model"} <= config.keys()
    if not has_vocabulary or not has_config:
        raise UserError(
            f"{path}: not a checkpoint of an interaction run; train one with `rmlr-train`"
        )
    if not _is_small(config):
        raise UserError(f"{path}: its configuration is larger than any; it is damaged")
    try:
        read_vocabulary(vocabulary)
    except ValueError as error:
        raise UserError(f"{path}: its vocabulary is damaged ({error})") from error
    return checkpoint


def _is_small(config: Any) -> bool:
    """Whether a configuration has at most `MAX_CONFIG` nodes and characters.

    A pickle of some kilobytes can hold lists of lists that have any number of members.
    """
    left, nodes = MAX_CONFIG, [config]
    while nodes and left >= 0:
        node = nodes.pop()
        left -= 1 + (len(node) if isinstance(node, str) else 0)
        if isinstance(node, dict):
            nodes += [*node, *node.values()]
        elif isinstance(node, (list, tuple)):
            nodes += node
    return left >= 0


def _check_archive(path: Path) -> None:
    """Compare the checksums in the file with its contents, which torch does not."""
    try:
        with zipfile.ZipFile(path) as archive:
            # torch stores without compression: a file of some kilobytes cannot fill the memory
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise UserError(f"{path}: a compressed archive, not what torch.save writes")
            damaged = archive.testzip()
    except (
        zipfile.BadZipFile,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise_limits(error)
        raise UserError(f"{path}: not a checkpoint; {cause_of_damage(path)}") from None
    if damaged is not None:
        raise UserError(
            f"{path}: damaged ({damaged} in it differs from its checksum); train or copy it again"
        )


def plain_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    """As plain values, to be kept in a checkpoint."""
    return {
        "verbs": list(vocabulary.verbs),
        "hois": [list(hoi) for hoi in vocabulary.hois],
        "rare": sorted(vocabulary.rare),
        "objects": list(vocabulary.objects),
        "subject": vocabulary.subject,
    }


def read_vocabulary(plain: dict[str, Any]) -> Vocabulary:
    """The reverse of `plain_vocabulary`.

    Raises:
        ValueError: it is not what that returns.
    """
    lists = {key: plain.get(key) for key in ("verbs", "objects", "hois", "rare")}
    wrong = [key for key, values in lists.items() if not isinstance(values, list)]
    if wrong:
        raise ValueError(f"no list of {wrong[0]}")
    verbs, objects, hois, rare = lists.values()
    for key, names in (("verbs", verbs), ("objects", objects)):
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise ValueError(f"{key} are not distinct names")
        if max(map(len, names), default=0) > MAX_NAME:
            raise ValueError(f"{key} with a name of more than {MAX_NAME} characters")
    if len(verbs) * len(objects) > MAX_TABLE:
        raise ValueError(f"more than {MAX_TABLE:,} combinations of verbs and objects")

    pairs = [pair if isinstance(pair, list) and len(pair) == 2 else (None, None) for pair in hois]
    subjects = [] if plain.get("subject") is None else [plain["subject"]]
    for key, numbers, limit in (
        ("verbs of hois", [verb for verb, _ in pairs], len(verbs)),
        ("objects of hois", [object_class for _, object_class in pairs], len(objects)),
        ("rare hois", rare, len(hois)),
        ("subject", subjects, len(objects)),
    ):
        if not all(type(number) is int and 0 <= number < limit for number in numbers):
            raise ValueError(f"{key} out of range")
    if len({tuple(pair) for pair in pairs}) < len(pairs):
        raise ValueError("an HOI twice")
    return Vocabulary(
        tuple(verbs),
        tuple((verb, object_class) for verb, object_class in pairs),
        frozenset(rare),
        tuple(objects),
        plain.get("subject"),
    )


def check_vocabulary(
    theirs: Vocabulary, ours: Vocabulary, theirs_name: str, ours_name: str
) -> None:
    """Compare two vocabularies: verbs, objects and HOIs, in order.

    V-COCO's files may differ in their last HOIs: each has those of the vocabulary first, then
    others that occur in it.

    Args:
        theirs_name, ours_name: what the message calls them.

    Raises:
        UserError: they differ.
    """
    shared = len(vcoco().hois) if ours.verbs == vcoco().verbs else None
    if _classes(theirs, shared) == _classes(ours, shared):
        return
    raise UserError(
        f"{theirs_name} has another vocabulary ({len(theirs.verbs)} verbs, {len(theirs.hois)} "
        f"HOIs) than {ours_name} ({len(ours.verbs)}, {len(ours.hois)}), or the same in another "
        "order; they must come from one data set"
    )


def _classes(vocabulary: Vocabulary, hois: int | None) -> tuple:
    """What two vocabularies must share; of the HOIs the first so many."""
    return vocabulary.verbs, vocabulary.objects, vocabulary.subject, vocabulary.hois[:hois]
