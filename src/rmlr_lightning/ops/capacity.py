"""Fixed sizes for compiled code: a batch is padded to one of few capacities.

The numbers of entities and pairs differ from batch to batch. They are rounded up to one of four
levels, because a GPU records a compiled graph for each. Feature maps and annotated pairs have one
capacity each, for which the graph is compiled: it is reserved before the training, or grows.
"""

import math
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.ops.masked import map_mask
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.types import Images, Pairs, Scene, Truth

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of the largest number of pairs
STEP = 8  # sizes of products are multiples of it, for tensor cores
MEMORY, PIXELS = "memory", "pixels"

Record = TypeVar("Record", bound=tuple)


class Level(NamedTuple):
    """Entities and pairs per image."""

    entities: int
    pairs: int


def levels(selection: Selection, subject: int | None) -> list[Level]:
    """Four levels, from few pairs to all that the selection allows.

    The number of pairs grows with the square of the number of entities.
    """
    group = max(1, selection.max_instances)
    entities = group if subject is None else 2 * group
    pairs = group * (entities - 1)
    return [
        Level(_up(math.sqrt(share) * entities, 4), _up(share * max(pairs, 1), STEP))
        for share in SHARES
    ]


def _up(count: float | int, multiple: int) -> int:
    return math.ceil(count / multiple) * multiple


class Capacities:
    """The sizes that the batches of one data set are padded to.

    Args:
        selection, subject: bounds of the entities, see `ops.selection`.
    """

    def __init__(self, selection: Selection, subject: int | None) -> None:
        self.levels = levels(selection, subject)
        self.canvases: dict[str, tuple[int, int]] = {}  # rows and columns of each map
        self.truth = 0  # annotated pairs per image

    def reserve(self, canvases: dict[str, tuple[int, int]], truth: int = 0) -> None:
        """Let maps of these sizes, and so many annotated pairs, need no other capacity."""
        for name, size in canvases.items():
            rows, columns = self.canvases.get(name, (0, 0))
            if size[0] > rows or size[1] > columns:
                # the next larger map, by a cell, shall not compile everything again
                self.canvases[name] = _up(max(size[0], rows), 2), _up(max(size[1], columns), 2)
        if truth > self.truth:
            self.truth = _up(truth, STEP)

    def pad(
        self, scene: Scene, pairs: Pairs, images: Images | None
    ) -> tuple[Scene, Pairs, Images | None]:
        """Selected entities, pairs and maps, padded; no value of a real row changes.

        The shapes decide alone: no device is waited for.
        """
        level = self._level(scene.entities.mask.shape[1], pairs.mask.shape[1])
        masks = {name: map_mask(scene, name) for name in scene.maps}
        self.reserve({MEMORY: scene.memory.shape[2:]})
        self.reserve({name: value.shape[2:] for name, value in scene.maps.items()})

        scene = Scene(
            _rows(scene.entities, level.entities),
            self._map(MEMORY, scene.memory),
            self._map(MEMORY, scene.memory_mask),
            scene.sizes,
            {name: self._map(name, value) for name, value in scene.maps.items()},
            {name: self._map(name, value) for name, value in masks.items()},
        )
        if images is not None:
            self.reserve({PIXELS: images.pixels.shape[2:]})
            images = images._replace(
                pixels=self._map(PIXELS, images.pixels), mask=self._map(PIXELS, images.mask)
            )
        return scene, _rows(pairs, level.pairs), images

    def pad_truth(self, truth: Truth) -> Truth:
        """Annotated pairs, padded."""
        self.reserve({}, truth.mask.shape[1])
        return _rows(truth, self.truth)

    def _level(self, entities: int, pairs: int) -> Level:
        """The smallest level that holds both; beyond all of them, what is needed."""
        for level in self.levels:
            if entities <= level.entities and pairs <= level.pairs:
                return level
        return Level(_up(entities, STEP), _up(pairs, STEP))

    def _map(self, name: str, values: Tensor) -> Tensor:
        rows, columns = self.canvases[name]
        return _padded(values, (0, columns - values.shape[-1], 0, rows - values.shape[-2]))


def _rows(record: Record, count: int) -> Record:
    """A record of tensors "B N ...", padded to `count` rows per image."""
    return type(record)(
        *(
            _padded(values, (0, 0) * (values.ndim - 2) + (0, count - values.shape[1]))
            for values in record
        )
    )


def _padded(values: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Zeros beyond the end; nothing is copied where nothing is missing."""
    if any(sides):
        return F.pad(values, sides)
    # one kind of tensor, padded or not: a graph of inference takes no others
    mixed = torch.is_inference_mode_enabled() and not values.is_inference()
    return values.clone() if mixed else values
