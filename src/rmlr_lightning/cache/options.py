"""The options of a feature cache: the keys of the config group `features`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rmlr_lightning.errors import UserError

Resolution = str | int | tuple[int, int]  # of a stored map: "full", "none", factor or cells
PRECISIONS = ("fp32", "bf16")
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


@dataclass(frozen=True)
class CacheOptions:
    """What is stored, where, and how it is made.

    Args:
        path: the folder of all stores.
        dtype: of tokens and memory: fp16, bf16 or fp32. Boxes and scores are always float32.
        memory: "full"; (h, w) averages the memory to so many cells, a number k over k x k of its
            cells; "none" stores its mean.
        maps: the same for each of the other maps of the detector (`types.Scene.maps`).
        entities: per image: None stores all queries, N the N of highest score. Those that
            `min_instances` of the selection can take are stored in addition.
        min_instances, nms_iou: of the model's `Selection`; used only if `entities` is a number.
        subject: name of the humans' class (`Vocabulary.subject_name`); used likewise.
        views: stored views of each training image; evaluation reads the first one.
        precision: that the detector's backbone computes in, fp32 or bf16; all else is float32.
        shard: images per file.
        batch_size: images per forward pass of the detector.
        num_workers: threads that read image files for the detector.
        device: of the detector while a store is made; None uses this process's GPU if there is one.

    Raises:
        UserError: an option has a wrong value.
    """

    path: Path = Path("data/features")
    dtype: str = "fp16"
    memory: Resolution = "full"
    maps: Resolution = "full"
    entities: int | None = None
    min_instances: int = 3
    nms_iou: float = 0.5
    subject: str | None = "person"
    views: int = 1
    precision: str = "fp32"
    shard: int = 128
    batch_size: int = 16
    num_workers: int = 2
    device: torch.device | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise UserError(f"features.dtype={self.dtype}: choose one of {', '.join(DTYPES)}")
        for key in ("memory", "maps"):
            value = getattr(self, key)
            if value not in ("full", "none") and not _is_factor(value) and not _is_cells(value):
                raise UserError(
                    f"features.{key}={_plain(value)}: choose full, none, a number k to average "
                    "over k x k cells, or height and width in cells, such as [3,4]"
                )
        if self.precision not in PRECISIONS:
            raise UserError(
                f"features.precision={self.precision}: choose one of {', '.join(PRECISIONS)}"
            )
        # None stores all entities.
        if self.entities is not None:
            self._check_number("entities", 1)
        self._check_number("views", 1)
        self._check_number("shard", 1)
        self._check_number("batch_size", 1)
        self._check_number("num_workers", 0)

    def _check_number(self, key: str, minimum: int) -> None:
        value = getattr(self, key)
        if not isinstance(value, int) or value < minimum:
            raise UserError(f"features.{key}={value}: expected a whole number from {minimum}")

    @property
    def torch_dtype(self) -> torch.dtype:
        """Of the stored tokens, memory and maps."""
        return DTYPES[self.dtype]

    def facts(self) -> dict[str, Any]:
        """The options that determine the stored bytes of an image, as plain JSON values."""
        facts: dict[str, Any] = {"dtype": self.dtype, "memory": _plain(self.memory)}
        # Which maps there are is part of the detector's fingerprint.
        if self.maps != "full":
            facts["maps"] = _plain(self.maps)
        if self.precision != "fp32":
            facts["precision"] = self.precision
        if self.entities is None:
            # The selection has no influence then, so it must not change the store's key.
            return facts | {"entities": "all"}
        return facts | {
            "entities": self.entities,
            "min_instances": self.min_instances,
            "nms_iou": self.nms_iou,
            "subject": self.subject,
        }


def stored_cells(resolution: Resolution, cells: tuple[int, int]) -> tuple[int, int]:
    """Height and width that a map of so many cells is stored at."""
    if resolution == "full":
        return cells
    if resolution == "none":
        return 1, 1
    if isinstance(resolution, int):
        return -(-cells[0] // resolution), -(-cells[1] // resolution)
    return resolution


def _is_factor(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 1


def _is_cells(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(side, int) and side > 0 for side in value)
    )


def _plain(value: Resolution) -> str | int | list[int]:
    return list(value) if isinstance(value, tuple) else value
