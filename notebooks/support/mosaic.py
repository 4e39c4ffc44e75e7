"""Crowds of a known size: single scenes tiled into one image, with the annotations of all.

The same scenes occur alone and in a crowd, so only the number of pairs in an image changes. The
detector has processed each scene by itself, so its number of queries does not limit the crowd; all
later stages process the whole crowd.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.data.truth import true_entities
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.boxes import batched_iou, to_pixels
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.types import Entities, Prediction, Scene, Target
from rmlr_lightning.vocabulary import NO_INTERACTION, Vocabulary

ROW_FIELDS = ("boxes_h", "boxes_o", "objects", "verbs", "hois")  # of Target


class Grid(NamedTuple):
    """Cells of a mosaic, numbered row by row."""

    rows: int
    columns: int


def grid_of(count: int) -> Grid:
    """The squarest grid without an empty cell, no higher than wide.

    30 is 5 x 6, 8 is 2 x 4, a prime is one row.
    """
    rows = next(rows for rows in range(math.isqrt(count), 0, -1) if count % rows == 0)
    return Grid(rows, count // rows)


def single_pairs(targets: Sequence[Target], vocabulary: Vocabulary) -> list[int]:
    """Indices of the images with exactly one interacting pair; `no_interaction` does not count."""
    no_interaction = -1
    if NO_INTERACTION in vocabulary.verbs:
        no_interaction = vocabulary.verbs.index(NO_INTERACTION)
    return [
        index
        for index, target in enumerate(targets)
        if _count_interacting(target, no_interaction) == 1
    ]


def _count_interacting(target: Target, no_interaction: int) -> int:
    boxes = torch.cat([target.boxes_h, target.boxes_o], 1)
    return len(torch.unique(boxes[target.verbs != no_interaction], dim=0))


def true_boxes(scene: Scene, target: Target) -> Scene:
    """One image's true boxes in place of the detected ones.

    Trained heads expect decoder states as tokens, so a true box takes the token of the query that
    overlaps it most: a query of its class, or of any class where there is none of its class.
    """
    true, detected = true_entities(target, target.size), scene.entities
    overlap = batched_iou(true.boxes[None], detected.boxes.float())[0]
    same_class = true.labels[:, None] == detected.labels[0]
    rank = torch.where(detected.mask[0], overlap + same_class, -1.0)
    tokens = detected.tokens[0, rank.argmax(1)]
    entities = Entities(*(field[None] for field in true._replace(tokens=tokens)))
    return scene._replace(entities=entities)


def mosaic(scenes: Sequence[Scene], grid: Grid) -> Scene:
    """Scenes of one image each, all of one size, as a Scene of one image.

    Entities keep their order, cell by cell.

    Raises:
        UserError: the number of scenes is not that of the cells, or they differ in size.
    """
    sizes = {tuple(scene.sizes[0].tolist()) for scene in scenes}
    if len(scenes) != grid.rows * grid.columns or len(sizes) != 1:
        raise UserError(
            f"a mosaic of {grid.rows} x {grid.columns} needs as many scenes of one size, "
            f"not {len(scenes)}"
        )
    extent = torch.tensor([grid.columns, grid.rows] * 2)
    boxes = [
        (scene.entities.boxes + _corner(cell, grid)) / extent for cell, scene in enumerate(scenes)
    ]
    other_fields = zip(*(scene.entities[1:] for scene in scenes), strict=True)
    entities = Entities(torch.cat(boxes, 1), *(torch.cat(field, 1) for field in other_fields))
    return Scene(
        entities,
        _tiled([scene.memory for scene in scenes], grid),
        _tiled([scene.memory_mask for scene in scenes], grid),
        scenes[0].sizes * torch.tensor(grid),
    )


def batch_scenes(scenes: Sequence[Scene]) -> Scene:
    """Scenes of one image each, of one size, as a batch. Entities are padded to the fullest."""
    fields = zip(*(scene.entities for scene in scenes), strict=True)
    entities = Entities(
        *(pad_sequence([value[0] for value in field], batch_first=True) for field in fields)
    )
    other_fields = zip(*(scene[1:4] for scene in scenes), strict=True)
    return Scene(entities, *(torch.cat(field) for field in other_fields))


def mosaic_target(targets: Sequence[Target], grid: Grid, image_id: int) -> Target:
    """The annotations of a mosaic; boxes in its pixels."""
    placed = [place(target, cell, grid) for cell, target in enumerate(targets)]
    rows = {name: torch.cat([getattr(target, name) for target in placed]) for name in ROW_FIELDS}
    return Target(f"mosaic_{image_id}", image_id, placed[0].size, **rows)


def place(target: Target, cell: int, grid: Grid) -> Target:
    """The annotations of one cell, in pixels of the mosaic."""
    shift = _corner(cell, grid) * to_pixels(target.size)
    return target._replace(
        size=target.size * torch.tensor(grid),
        boxes_h=target.boxes_h + shift,
        boxes_o=target.boxes_o + shift,
    )


def cells_of(entities: Entities, grid: Grid) -> Tensor:
    """The cell that holds the centre of each entity, (B, N)."""
    centre = (entities.boxes[..., :2] + entities.boxes[..., 2:]) / 2
    column = (centre[..., 0] * grid.columns).floor().clamp(0, grid.columns - 1)
    row = (centre[..., 1] * grid.rows).floor().clamp(0, grid.rows - 1)
    return (row * grid.columns + column).long()


def one_cell_at_a_time(scene: Scene, grid: Grid) -> Scene:
    """Mosaics as a batch with one image per cell, in which only that cell's entities are real.

    Size and place of all entities stay, so the difference to the whole mosaic is the presence of
    the others.
    """
    cells = grid.rows * grid.columns
    in_cell = cells_of(scene.entities, grid)[:, None] == torch.arange(cells)[:, None]  # B C N
    entities = Entities(*(field.repeat_interleave(cells, 0) for field in scene.entities))
    entities = entities._replace(mask=entities.mask & in_cell.flatten(0, 1))
    return Scene(entities, *(field.repeat_interleave(cells, 0) for field in scene[1:4]))


def own_pairs(prediction: Prediction, grid: Grid) -> Prediction:
    """The prediction without pairs of a person in one cell and an object in another."""
    cells = cells_of(prediction.scene.entities, grid)
    pairs = prediction.pairs
    same_cell = gather_rows(cells, pairs.human) == gather_rows(cells, pairs.object)
    return prediction._replace(pairs=pairs._replace(mask=pairs.mask & same_cell))


def _corner(cell: int, grid: Grid) -> Tensor:
    """Column and row of a cell, twice: the shift of an xyxy box in units of cells."""
    row, column = divmod(cell, grid.columns)
    return torch.tensor([column, row] * 2)


def _tiled(maps: Sequence[Tensor], grid: Grid) -> Tensor:
    """Maps (1, ..., h, w) of the cells -> one map."""
    rows = []
    for row in range(grid.rows):
        first = row * grid.columns
        rows.append(torch.cat(list(maps[first : first + grid.columns]), -1))
    return torch.cat(rows, -2)
