"""Crowds of a known number: single scenes side by side, as one image, with the annotations of all.

The same scenes alone and in a crowd: nothing but the company changes. The detector has seen each by itself, so its
limit of queries does not count; what comes after the detector sees the whole crowd.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.data.hoi_dataset import true_entities
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.boxes import batched_iou
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.types import Entities, Prediction, Scene, Target
from rmlr_lightning.vocabulary import NO_INTERACTION, Vocabulary


class Grid(NamedTuple):
    """Cells of a mosaic, filled row by row."""

    rows: int
    columns: int


def grid_of(count: int) -> Grid:
    """The squarest grid without an empty cell, no higher than wide: 30 is 5 x 6, 8 is 2 x 4, a prime is one row."""
    rows = next(rows for rows in range(math.isqrt(count), 0, -1) if count % rows == 0)
    return Grid(rows, count // rows)


def single_pairs(targets: Sequence[Target], vocabulary: Vocabulary) -> list[int]:
    """Indices of the images with exactly one pair that interacts; others in them are annotated as doing nothing."""
    nothing = vocabulary.verbs.index(NO_INTERACTION) if NO_INTERACTION in vocabulary.verbs else -1
    return [index for index, target in enumerate(targets) if _interacting(target, nothing) == 1]


def _interacting(target: Target, nothing: int) -> int:
    rows = torch.cat([target.boxes_h, target.boxes_o], 1)[target.verbs != nothing]
    return len(torch.unique(rows, dim=0))


def true_boxes(scene: Scene, target: Target) -> Scene:
    """One image's true boxes in place of the detector's, each with the token of the query that fits it best.

    Trained heads know decoder states, so a true box borrows that of the overlapping query of its class; where there is
    none of its class, of any.
    """
    true, seen = true_entities(target), scene.entities
    fit = batched_iou(true.boxes[None], seen.boxes.float())[0] + (
        true.labels[:, None] == seen.labels[0]
    )
    tokens = seen.tokens[0, torch.where(seen.mask[0], fit, -1.0).argmax(1)]
    return scene._replace(
        entities=Entities(*(field[None] for field in true._replace(tokens=tokens)))
    )


def mosaic(scenes: Sequence[Scene], grid: Grid) -> Scene:
    """Scenes of one image each, all of one size, as a Scene of one image. Entities keep their order, cell by cell.

    Raises:
        UserError: there are not as many as cells, or they differ in size.
    """
    if (
        len(scenes) != grid.rows * grid.columns
        or len({tuple(s.sizes[0].tolist()) for s in scenes}) != 1
    ):
        raise UserError(
            f"a mosaic of {grid.rows} x {grid.columns} needs so many scenes of one size, not {len(scenes)}"
        )
    extent = torch.tensor([grid.columns, grid.rows] * 2)
    boxes = [(s.entities.boxes + _corner(cell, grid)) / extent for cell, s in enumerate(scenes)]
    rest = zip(*(s.entities[1:] for s in scenes), strict=True)
    entities = Entities(torch.cat(boxes, 1), *(torch.cat(field, 1) for field in rest))
    return Scene(
        entities,
        _tiled([s.memory for s in scenes], grid),
        _tiled([s.memory_mask for s in scenes], grid),
        scenes[0].sizes * torch.tensor(grid),
    )


def together(scenes: Sequence[Scene]) -> Scene:
    """Scenes of one image each, of one size, as a batch; entities are padded to the fullest."""
    entities = zip(*(scene.entities for scene in scenes), strict=True)
    padded = Entities(
        *(pad_sequence([field[0] for field in fields], batch_first=True) for fields in entities)
    )
    return Scene(
        padded,
        *(torch.cat(fields) for fields in zip(*(scene[1:] for scene in scenes), strict=True)),
    )


def mosaic_target(targets: Sequence[Target], grid: Grid, image_id: int) -> Target:
    """The truth of a mosaic; boxes in its pixels."""
    placed = [place(target, cell, grid) for cell, target in enumerate(targets)]
    fields = (torch.cat([getattr(t, name) for t in placed]) for name in Target._fields[3:])
    return Target(f"mosaic_{image_id}", image_id, placed[0].size, *fields)


def place(target: Target, cell: int, grid: Grid) -> Target:
    """The truth of one cell, as the only one in the mosaic."""
    shift = _corner(cell, grid) * target.size.flip(0).repeat(2)
    return target._replace(
        size=target.size * torch.tensor(grid),
        boxes_h=target.boxes_h + shift,
        boxes_o=target.boxes_o + shift,
    )


def cells_of(entities: Entities, grid: Grid) -> Tensor:
    """The cell where each entity's centre lies, (B, N)."""
    centre = (
        (entities.boxes[..., :2] + entities.boxes[..., 2:])
        / 2
        * torch.tensor([grid.columns, grid.rows])
    )
    column = centre[..., 0].floor().clamp(0, grid.columns - 1)
    row = centre[..., 1].floor().clamp(0, grid.rows - 1)
    return (row * grid.columns + column).long()


def one_at_a_time(scene: Scene, grid: Grid) -> Scene:
    """Mosaics as a batch of images, one a cell: the same pictures, but only that cell's entities are there.

    Size and place of everything stay, so that what is left between this and the whole is the company.
    """
    cells = grid.rows * grid.columns
    alone = cells_of(scene.entities, grid)[:, None] == torch.arange(cells)[:, None]  # B C N
    entities = Entities(*(field.repeat_interleave(cells, 0) for field in scene.entities))
    entities = entities._replace(mask=entities.mask & alone.flatten(0, 1))
    return Scene(entities, *(field.repeat_interleave(cells, 0) for field in scene[1:]))


def own_pairs(prediction: Prediction, grid: Grid) -> Prediction:
    """Without the pairs of a person in one cell with a thing in another."""
    cells = cells_of(prediction.scene.entities, grid)
    pairs = prediction.pairs
    same = gather_rows(cells, pairs.human) == gather_rows(cells, pairs.object)
    return prediction._replace(pairs=pairs._replace(mask=pairs.mask & same))


def _corner(cell: int, grid: Grid) -> Tensor:
    row, column = divmod(cell, grid.columns)
    return torch.tensor([column, row] * 2)


def _tiled(fields: Sequence[Tensor], grid: Grid) -> Tensor:
    """Maps (1, ..., h, w) of the cells -> one map."""
    rows = [
        torch.cat(list(fields[r * grid.columns : (r + 1) * grid.columns]), -1)
        for r in range(grid.rows)
    ]
    return torch.cat(rows, -2)
