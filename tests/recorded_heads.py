"""What UPT's and PViC's own code gave for fixed weights and detections, and how both are made.

`tests/models/*_head.npz` hold the keys and shapes of the released heads and the outputs of the
original implementations in double precision, one image at a time: selected classes, pairs, every
ninth column of the logits, and the scores of valid verbs. Weights, boxes, tokens and maps are not
stored. They follow from their names, by a generator whose numbers do not depend on a platform or a
version.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rmlr_lightning.models.pvic_map import log_offsets, offset_index
from rmlr_lightning.types import Entities, Scene

FOLDER = Path(__file__).parent / "models"
VERB_STEP = 9  # every ninth verb was recorded
SIZES = [(480, 640), (600, 401), (427, 640), (333, 500)]  # of the images
MAPS = [(3, 4), (4, 3), (9, 10), (2, 3)]  # cells of their maps
LABELS = [0, 0, 0, 0, 0, 1, 3, 26, 41, 41, 56, 67]
NOBODY = 3  # the image without people
CONSTANTS = {  # of PViC's windows
    "relative_coords_table": log_offsets().view(1, 15, 15, 2),
    "relative_position_index": offset_index().flatten(),
}


def fixed_values(name: str, *shape: int) -> Tensor:
    """Numbers in [-1, 1) that follow from a name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape))) >> np.uint64(11)
    return torch.from_numpy((bits * 2.0**-52 - 1).astype(np.float32).reshape(shape))


def fixed_weight(key: str, shape: list[int]) -> Tensor:
    """A weight that follows from its key: sums keep their size, norms scale by about 1."""
    constant = CONSTANTS.get(key.rpartition(".")[2])
    if constant is not None:
        return constant
    values = fixed_values(key, *shape)
    if key.endswith("logit_scale"):
        return 2.3 + 0.5 * values
    if len(shape) == 1:
        return 1 + 0.5 * values if key.endswith("weight") else 0.1 * values
    return values * (3 / np.prod(shape[1:])) ** 0.5


class RecordedHead:
    """The recording of one head, "upt" or "pvic"."""

    def __init__(self, kind: str) -> None:
        with np.load(FOLDER / f"{kind}_head.npz") as file:
            self.values = dict(file)

    def shapes(self) -> dict[str, list[int]]:
        """Keys and shapes of the head's part of a checkpoint's `model_state_dict`."""
        shapes = map(json.loads, self.values["shapes"])
        return dict(zip(map(str, self.values["keys"]), shapes, strict=True))

    def state(self) -> dict[str, Tensor]:
        """That part with fixed values."""
        return {key: fixed_weight(key, shape) for key, shape in self.shapes().items()}

    def zeros(self) -> dict[str, Tensor]:
        """That part with zeros, which take no room in a file."""
        return {
            key: CONSTANTS.get(key.rpartition(".")[2], torch.zeros(1).expand(shape))
            for key, shape in self.shapes().items()
        }

    def recorded(self, name: str, image: int) -> Tensor:
        """A recorded output of one image."""
        return torch.from_numpy(self.values[f"{name}.{image}"])


def recorded_scene(dtype: torch.dtype = torch.float32) -> Scene:
    """The Scene of the recordings, four images in one batch; the padding of the map is garbage.

    In the first image two boxes of people overlap more inside the image than as a whole.
    """
    boxes = torch.stack([_boxes(image) for image in range(len(SIZES))])
    boxes[0, :2, [0, 2]] = torch.tensor([[-0.35, 0.35], [0.02, 0.35]])
    boxes[0, :2, [1, 3]] = torch.tensor([0.25, 0.75])
    scores = _stacked("scores", len(LABELS)) * 0.5 + 0.5
    scores[0] = scores[0] * 0.5 + 0.5
    scores[1] *= 0.15  # fewer confident entities than the minimum
    labels = torch.tensor([LABELS] * len(SIZES))
    labels[NOBODY] = labels[NOBODY].where(labels[NOBODY] != 0, 62)
    tokens = _stacked("tokens", len(LABELS), 256) * 2

    height, width = (max(sides) for sides in zip(*MAPS, strict=True))
    mask = torch.zeros(len(MAPS), height, width, dtype=torch.bool)
    c5 = torch.full((len(MAPS), 2048, height, width), 7.0)
    for image, (rows, columns) in enumerate(MAPS):
        cells = fixed_values(f"c5.{image}", 2048, rows, columns).clamp_min(0) * 2
        c5[image, :, :rows, :columns] = cells
        mask[image, :rows, :columns] = True

    entities = Entities(
        boxes.to(dtype), scores.to(dtype), labels, tokens.to(dtype), torch.ones_like(labels).bool()
    )
    memory = torch.zeros(len(MAPS), 256, height, width, dtype=dtype)
    return Scene(entities, memory, mask, torch.tensor(SIZES), {"c5": c5.to(dtype)})


def _stacked(name: str, *shape: int) -> Tensor:
    return torch.stack([fixed_values(f"{name}.{image}", *shape) for image in range(len(SIZES))])


def _boxes(image: int) -> Tensor:
    """Boxes whose centres are in the image; parts of them may be outside."""
    centre, size = fixed_values(f"boxes.{image}", len(LABELS), 4).double().chunk(2, 1)
    centre, size = centre * 0.5 + 0.5, size * 0.25 + 0.3
    return torch.cat([centre - size / 2, centre + size / 2], 1).float()
