"""Reading our checkpoints."""

import pickle
from pathlib import Path
from typing import Any

import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import Vocabulary


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A checkpoint of `HOITask` on the CPU; tensors and plain values only, nothing in it is executed.

    Raises:
        UserError: no such file, not a checkpoint, or one of another task.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such checkpoint; `rmlr-train` (or `make train`) writes one to outputs/.../checkpoints/"
        )
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{path}: not a readable checkpoint ({str(error).splitlines()[0]})") from error
    if not isinstance(checkpoint, dict) or not {"state_dict", "recipe", "vocabulary"} <= checkpoint.keys():
        raise UserError(f"{path}: not a checkpoint of an interaction run; train one with `rmlr-train`")
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
        tuple(plain["verbs"]), tuple((verb, thing) for verb, thing in plain["hois"]), frozenset(plain["rare"])
    )
