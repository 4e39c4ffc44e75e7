"""One file of a store: the Scenes of some images, one after the other, in safetensors.

Columns per entity: boxes, scores, labels, tokens. Flat: memory, memory_mask, and one column for
each further map, "map.NAME". The index has a row per image: ends of its entities and of the cells
of its memory and maps, shapes of these, size of the image, and a CRC-32 of all its bytes. A CRC-32
in the metadata covers the index, the file names and the names of the maps.
"""

import json
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Entities, Scene

INDEX = {"ends": torch.int64, "shapes": torch.int32, "sizes": torch.int32, "checksums": torch.int64}
BOXES = {"boxes": torch.float32, "scores": torch.float32, "labels": torch.uint8}
PER_ENTITY = ("boxes", "scores", "labels", "tokens")
MAP = "map."  # in front of a map's name


def encode(scenes: Sequence[Scene], names: Sequence[str]) -> bytes:
    """The content of a shard.

    Args:
        scenes: of one image each, without batch dimension and without padding.
        names: file names of the images.
    """
    entities = [scene.entities for scene in scenes]
    maps = list(scenes[0].maps)
    pieces = {
        "boxes": [e.boxes for e in entities],
        "scores": [e.scores for e in entities],
        "labels": [e.labels.to(torch.uint8) for e in entities],
        "tokens": [e.tokens for e in entities],
        "memory": [scene.memory.flatten() for scene in scenes],
        "memory_mask": [scene.memory_mask.flatten() for scene in scenes],
    }
    pieces |= {MAP + name: [scene.maps[name].flatten() for scene in scenes] for name in maps}
    # Images have different numbers of entities and cells; their ends tell them apart again.
    shapes = [
        [scene.memory.shape[1:], *(scene.maps[name].shape[1:] for name in maps)] for scene in scenes
    ]
    counts = [
        [len(scene.entities.scores), *(shape.numel() for shape in of_image)]
        for scene, of_image in zip(scenes, shapes, strict=True)
    ]
    checksums = [_crc(parts) for parts in zip(*pieces.values(), strict=True)]
    index = {
        "ends": torch.tensor(counts).cumsum(0),
        "shapes": torch.tensor(shapes, dtype=torch.int32).flatten(1),
        "sizes": torch.stack([scene.sizes for scene in scenes]).to(torch.int32),
        "checksums": torch.tensor(checksums),
    }
    about = json.dumps({"names": list(names)} | ({"maps": maps} if maps else {}))
    # Only one key: safetensors writes several keys in any order, and the bytes must be the same
    # whenever a shard is written.
    metadata = {"scenes": json.dumps({"crc": _crc(list(index.values()), about), "about": about})}
    columns = {name: torch.cat(parts) for name, parts in pieces.items()}
    return save(columns | index, metadata)


class Outline(NamedTuple):
    """What decides on the size of an image in a batch. Few bytes of its Scene are read for it."""

    scores: Float[Tensor, " N"]
    labels: Int[Tensor, " N"]  # the detector's
    maps: dict[str, tuple[int, int]]  # (rows, columns), by name; the memory is "memory"


class Shard:
    """Reads one file, memory-mapped.

    Args:
        path: of the file.
        names: file names of the images it must contain.
        dtype: of tokens, memory and maps.

    Raises:
        UserError: missing, damaged or of other images; names the file and the way out.
    """

    def __init__(self, path: Path, names: Sequence[str], dtype: torch.dtype) -> None:
        self.path, self.names = path, list(names)
        try:
            with safe_open(path, "pt") as file:
                about = json.loads(file.metadata()["scenes"])
                columns = {name: file.get_tensor(name) for name in file.keys()}
            self._check_columns(about, columns, dtype)
            self._read_index(columns)
        except FileNotFoundError:
            raise UserError(f"{path}: missing; run rmlr-extract again") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
        # A flipped byte in the header can raise any of these.
        except (
            SafetensorError,
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            RuntimeError,
        ) as error:
            raise self._damaged("its index") from error
        # Views of the mapped file: the operating system reads them when they are used.
        self.columns = columns
        self._checked = [False] * len(self.names)

    def _check_columns(self, about: dict, columns: dict[str, Tensor], dtype: torch.dtype) -> None:
        self.grids = {"memory": "memory"}  # name of a map: its column
        self.grids |= {name: MAP + name for name in json.loads(about["about"]).get("maps", [])}
        expected = INDEX | BOXES | {"tokens": dtype, "memory_mask": torch.bool}
        expected |= dict.fromkeys(self.grids.values(), dtype)
        if {name: column.dtype for name, column in columns.items()} != expected:
            raise ValueError("other columns")
        if about["crc"] != _crc([columns[name] for name in INDEX], about["about"]):
            raise ValueError("the index has changed")
        if json.loads(about["about"])["names"] != self.names:
            raise ValueError("other images")

    def _read_index(self, columns: dict[str, Tensor]) -> None:
        """Set the positions of each image, and check that the columns have as many rows."""
        # A zero in front makes pairs of neighbours the spans of the images.
        ends = np.vstack([np.zeros((1, 1 + len(self.grids)), np.int64), columns["ends"].numpy()])
        self.entity_spans = list(pairwise(ends[:, 0].tolist()))
        self.cell_spans = [list(pairwise(column)) for column in ends[:, 1:].T.tolist()]
        self.shapes = columns["shapes"].unflatten(1, (len(self.grids), 2)).tolist()
        self.checksums = columns["checksums"].tolist()

        entities, *cells = ends[-1].tolist()
        expected = dict.fromkeys(PER_ENTITY, entities) | {"memory_mask": cells[0]}
        self.channels = []
        for column, count in zip(self.grids.values(), cells, strict=True):
            self.channels.append(columns[column].numel() // max(count, 1))
            expected[column] = count * self.channels[-1]
        found = {name: len(columns[name]) for name in expected}
        # with its checksums intact, a file may still have other rows than names
        is_whole = len(columns["ends"]) == len(columns["sizes"]) == len(self.names)
        if found != expected or columns["boxes"].shape[1:] != (4,) or not is_whole:
            raise ValueError("the columns do not fit together")

    def scene(self, row: int) -> Scene:
        """The Scene of one image, without batch dimension; its tensors are views of the file.

        The image's bytes are checked the first time.

        Raises:
            UserError: they are damaged.
        """
        first, last = self.entity_spans[row]
        boxes, scores, labels, tokens = (self.columns[name][first:last] for name in PER_ENTITY)
        memory, *maps = (self._map(number, row) for number in range(len(self.grids)))
        start, end = self.cell_spans[0][row]
        memory_mask = self.columns["memory_mask"][start:end]

        # Once per process: later epochs do not pay for it again.
        if not self._checked[row]:
            parts = [boxes, scores, labels, tokens, memory, memory_mask, *maps]
            if _crc(parts) != self.checksums[row]:
                raise self._damaged(f"the scene of {self.names[row]}")
            self._checked[row] = True

        names = list(self.grids)[1:]
        return Scene(
            entities=Entities(boxes, scores, labels, tokens, torch.ones_like(scores).bool()),
            memory=memory,
            memory_mask=memory_mask.view(memory.shape[1:]),
            sizes=self.columns["sizes"][row],
            maps=dict(zip(names, maps, strict=True)),
        )

    def outline(self, row: int) -> Outline:
        """The outline of one image. Its bytes are not checked."""
        first, last = self.entity_spans[row]
        sizes = {name: tuple(size) for name, size in zip(self.grids, self.shapes[row], strict=True)}
        return Outline(
            self.columns["scores"][first:last], self.columns["labels"][first:last], sizes
        )

    def _map(self, number: int, row: int) -> Tensor:
        """The memory (number 0) or another map of an image, "C h w"."""
        start, end = self.cell_spans[number][row]
        channels = self.channels[number]
        column = self.columns[list(self.grids.values())[number]]
        flat = column[start * channels : end * channels]
        return flat.view(channels, *self.shapes[row][number])

    def damages(self) -> list[str]:
        """One line for each image whose bytes have changed."""
        lines = []
        for row in range(len(self.names)):
            try:
                self.scene(row)
            except UserError as error:
                lines.append(str(error))
        return lines

    def _damaged(self, what: str) -> UserError:
        return UserError(
            f"{self.path}: {what} is damaged; delete this file and run rmlr-extract again"
        )


def _crc(parts: Sequence[Tensor], text: str = "") -> int:
    value = zlib.crc32(text.encode())
    for part in parts:
        value = zlib.crc32(part.contiguous().view(-1).view(torch.uint8).numpy(), value)
    return value
