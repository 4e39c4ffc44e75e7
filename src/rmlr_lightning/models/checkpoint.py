"""Reading our checkpoints."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import Vocabulary, vcoco


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Any checkpoint of Lightning's on the CPU; tensors and plain values only, nothing in it is executed.

    Raises:
        UserError: no such file, damaged, or not a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such checkpoint; `rmlr-train` (or `make train`) writes one to outputs/.../checkpoints/"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch does not look at the sums that stand in the file
    except (zipfile.BadZipFile, OSError, EOFError, ValueError):
        raise UserError(f"{path}: not a checkpoint, or a truncated one") from None
    if damaged is not None:
        raise UserError(
            f"{path}: damaged ({damaged} in it is not what was written); train or copy it again"
        )
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError) as error:
        reason = str(error).partition("(1)")[0].partition("\n")[0].strip()  # without torch's advice
        raise UserError(
            f"{path}: not a readable checkpoint ({reason or type(error).__name__})"
        ) from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise UserError(f"{path}: not a checkpoint of Lightning's (no state_dict)")
    return checkpoint


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A checkpoint of `HOITask`; see `load_checkpoint`.

    Raises:
        UserError: as there, or one of another task.
    """
    checkpoint = load_checkpoint(path)
    recipe, vocabulary = checkpoint.get("recipe"), checkpoint.get("vocabulary")
    plain = isinstance(vocabulary, dict) and {"verbs", "hois", "rare"} <= vocabulary.keys()
    if not plain or not isinstance(recipe, dict) or not {"task", "data", "model"} <= recipe.keys():
        raise UserError(
            f"{path}: not a checkpoint of an interaction run; train one with `rmlr-train`"
        )
    return checkpoint


def plain_vocabulary(vocabulary: Vocabulary) -> dict[str, list]:
    """As plain lists, to be kept in a checkpoint."""
    return {
        "verbs": list(vocabulary.verbs),
        "hois": [list(hoi) for hoi in vocabulary.hois],
        "rare": sorted(vocabulary.rare),
    }


def read_vocabulary(plain: dict[str, list]) -> Vocabulary:
    """The reverse of `plain_vocabulary`."""
    return Vocabulary(
        tuple(plain["verbs"]),
        tuple((verb, thing) for verb, thing in plain["hois"]),
        frozenset(plain["rare"]),
    )


def check_vocabulary(theirs: Vocabulary, ours: Vocabulary, what: str, than: str) -> None:
    """Refuse data that speak of other verbs or HOIs, or of the same in another order.

    V-COCO's files may differ in their last HOIs: each has those of the vocabulary, then others that occur in it.

    Raises:
        UserError: `what` has another vocabulary than `than`.
    """
    shared = len(vcoco().hois) if ours.verbs == vcoco().verbs else None
    if (theirs.verbs, theirs.hois[:shared]) != (ours.verbs, ours.hois[:shared]):
        raise UserError(
            f"{what} has another vocabulary ({len(theirs.verbs)} verbs, {len(theirs.hois)} HOIs) than {than} "
            f"({len(ours.verbs)}, {len(ours.hois)}), or the same in another order; they must come from one data set"
        )
