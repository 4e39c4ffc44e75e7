"""One file of the cache: the Scenes of some images, one after the other, in safetensors.

Columns: boxes, scores, labels, tokens (a row an entity), memory and memory_mask (flat), and an index with a row an
image: where its rows end, the shape of its memory, its size, and the crc32 of all its bytes. The index and the file
names are covered by a crc32 in the metadata.
"""

import json
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Entities, Scene

INDEX = {"ends": torch.int64, "shapes": torch.int32, "sizes": torch.int32, "checksums": torch.int64}
BOXES = {"boxes": torch.float32, "scores": torch.float32, "labels": torch.uint8}
PER_ENTITY = ("boxes", "scores", "labels", "tokens")


def encode(scenes: Sequence[Scene], names: Sequence[str]) -> bytes:
    """The file of these Scenes (of one image each, without batch dimension, all entities real)."""
    entities = [scene.entities for scene in scenes]
    pieces = {
        "boxes": [e.boxes for e in entities],
        "scores": [e.scores for e in entities],
        "labels": [e.labels.to(torch.uint8) for e in entities],
        "tokens": [e.tokens for e in entities],
        "memory": [scene.memory.flatten() for scene in scenes],
        "memory_mask": [scene.memory_mask.flatten() for scene in scenes],
    }
    rows = torch.tensor(
        [
            [len(e.scores), scene.memory_mask.numel()]
            for e, scene in zip(entities, scenes, strict=True)
        ]
    )
    index = {
        "ends": rows.cumsum(0),
        "shapes": torch.tensor([scene.memory_mask.shape for scene in scenes], dtype=torch.int32),
        "sizes": torch.stack([scene.sizes for scene in scenes]).to(torch.int32),
        "checksums": torch.tensor([_crc(parts) for parts in zip(*pieces.values(), strict=True)]),
    }
    about = json.dumps({"names": list(names)})
    # one key alone: safetensors writes several in any order
    metadata = {"scenes": json.dumps({"crc": _crc(list(index.values()), about), "about": about})}
    return save({name: torch.cat(parts) for name, parts in pieces.items()} | index, metadata)


class Shard:
    """Reads one file, memory-mapped.

    Args:
        path: of the file.
        names: the images it must hold.
        dtype: of tokens and memory.

    Raises:
        UserError: missing, damaged or of other images; it names the file and the way out.
    """

    def __init__(self, path: Path, names: Sequence[str], dtype: torch.dtype) -> None:
        self.path, self.names = path, list(names)
        try:
            with safe_open(path, "pt") as file:
                about = json.loads(file.metadata()["scenes"])
                columns = {name: file.get_tensor(name) for name in file.keys()}
            self._index(about, columns, dtype)
        except FileNotFoundError:
            raise UserError(f"{path}: missing; run rmlr-extract again") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
        except (
            SafetensorError,
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            RuntimeError,
        ) as error:
            raise self._damaged("its index") from error
        self.columns = columns
        self.seen = bytearray(len(self.names))

    def _index(self, about: dict, columns: dict[str, Tensor], dtype: torch.dtype) -> None:
        """Check what the positions in the file rest on."""
        expected = INDEX | BOXES | {"tokens": dtype, "memory": dtype, "memory_mask": torch.bool}
        if {name: column.dtype for name, column in columns.items()} != expected:
            raise ValueError("other columns")
        if about["crc"] != _crc([columns[name] for name in INDEX], about["about"]):
            raise ValueError("the index has changed")
        if json.loads(about["about"])["names"] != self.names:
            raise ValueError("other images")
        ends = np.vstack([np.zeros((1, 2), np.int64), columns["ends"].numpy()])
        self.rows = [(a, b) for a, b in pairwise(ends[:, 0].tolist())]
        self.cells = [(a, b) for a, b in pairwise(ends[:, 1].tolist())]
        self.shapes, self.checksums = columns["shapes"].tolist(), columns["checksums"].tolist()
        entities, cells = ends[-1].tolist()
        self.channels = columns["memory"].numel() // max(cells, 1)
        lengths = {name: len(columns[name]) for name in (*PER_ENTITY, "memory_mask", "memory")}
        wanted = dict.fromkeys(PER_ENTITY, entities) | {
            "memory_mask": cells,
            "memory": cells * self.channels,
        }
        if lengths != wanted or columns["boxes"].shape[1:] != (4,):
            raise ValueError("the columns do not fit together")

    def scene(self, index: int) -> Scene:
        """The Scene of one image, without batch dimension; views of the file. Its bytes are checked the first time."""
        (first, last), (start, end) = self.rows[index], self.cells[index]
        columns = self.columns
        boxes, scores, labels, tokens = (columns[name][first:last] for name in PER_ENTITY)
        memory = columns["memory"][start * self.channels : end * self.channels]
        mask = columns["memory_mask"][start:end]
        if not self.seen[index]:
            if _crc([boxes, scores, labels, tokens, memory, mask]) != self.checksums[index]:
                raise self._damaged(f"the scene of {self.names[index]}")
            self.seen[index] = True
        height, width = self.shapes[index]
        entities = Entities(
            boxes, scores, labels, tokens, torch.ones(last - first, dtype=torch.bool)
        )
        memory = memory.view(self.channels, height, width)
        return Scene(entities, memory, mask.view(height, width), columns["sizes"][index])

    def problems(self) -> list[str]:
        """One line for every image whose bytes have changed."""
        found = []
        for index in range(len(self.names)):
            try:
                self.scene(index)
            except UserError as error:
                found.append(str(error))
        return found

    def _damaged(self, what: str) -> UserError:
        return UserError(
            f"{self.path}: {what} is damaged; delete this file and run rmlr-extract again"
        )


def _crc(parts: Sequence[Tensor], text: str = "") -> int:
    value = zlib.crc32(text.encode())
    for part in parts:
        value = zlib.crc32(part.contiguous().view(-1).view(torch.uint8).numpy(), value)
    return value
