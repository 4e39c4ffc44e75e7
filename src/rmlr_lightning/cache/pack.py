"""From a detector's Scene to the Scene that is stored: fewer entities and smaller maps."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from rmlr_lightning.cache.options import CacheOptions, Resolution, stored_cells
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import compact, gather_rows, map_mask
from rmlr_lightning.ops.selection import Selection, select
from rmlr_lightning.types import Entities, Scene

ENTITY_BYTES = 4 * 4 + 4 + 1  # float32 box and score, one byte for the label
INDEX_BYTES = 160  # of an image in its shard's index, file name included
MAP_INDEX_BYTES = 16  # of each further map in the index


class MapSize(NamedTuple):
    """Size of a map of the detector."""

    dim: int  # channels
    cells: tuple[int, int]  # height, width


def pack(scene: Scene, options: CacheOptions, objects: Sequence[str]) -> Scene:
    """The Scene to store; tokens and maps in `options.dtype`, boxes and scores in float32.

    Args:
        objects: names of the detector's classes.
    """
    entities = scene.entities
    if options.entities is not None:
        entities = keep_entities(entities, options, subject_label(objects, options.subject))
    entities = entities._replace(
        boxes=entities.boxes.float(),
        scores=entities.scores.float(),
        tokens=entities.tokens.to(options.torch_dtype),
    )

    memory, mask = _at_resolution(scene.memory, scene.memory_mask, options.memory)
    maps = {}
    for name, features in scene.maps.items():
        features, _ = _at_resolution(features, map_mask(scene, name), options.maps)
        maps[name] = features.to(options.torch_dtype)
    memory = memory.to(options.torch_dtype)
    return Scene(entities, memory, mask, scene.sizes, maps)


def subject_label(objects: Sequence[str], subject: str | None) -> int | None:
    """The detector's label of the humans' class; None where they are of any class.

    Raises:
        UserError: the detector has no such class.
    """
    if subject is None:
        return None
    if subject not in objects:
        raise UserError(f"model.detector: it has no class {subject!r}, the humans of the data set")
    return list(objects).index(subject)


def keep_entities(entities: Entities, options: CacheOptions, subject: int | None) -> Entities:
    """The entities of highest score, and those that `min_instances` of the selection can take.

    NMS among the kept entities gives the same as NMS among all: an entity is suppressed only by
    one of higher score, the entities of highest score are all kept, and the others survived NMS
    among all.

    Args:
        subject: the detector's label of the humans' class; None: any.
    """
    # -1 marks padding, which has the last ranks.
    score = torch.where(entities.mask, entities.scores.float(), -1.0)
    rank = score.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    keep = rank < options.entities

    # A threshold that no score reaches leaves only what min_instances guarantees.
    guaranteed = select(
        entities,
        Selection(2.0, options.nms_iou, options.min_instances, options.min_instances),
        subject=subject,
    )
    image, column = guaranteed.mask.nonzero(as_tuple=True)
    keep[image, guaranteed.index[image, column]] = True

    # Not in the order of the selection: the stored order is the detector's.
    index, mask = compact(keep & entities.mask)
    return Entities(*(gather_rows(field, index) for field in entities[:4]), mask)


def _at_resolution(
    features: Float[Tensor, "B C h w"], mask: Bool[Tensor, "B h w"], resolution: Resolution
) -> tuple[Float[Tensor, "B C _ _"], Bool[Tensor, "B _ _"]]:
    if resolution == "full":
        return features, mask
    height, width = features.shape[2:]
    return pool_memory(features, mask, stored_cells(resolution, (height, width)))


def pool_memory(
    memory: Float[Tensor, "B C h w"], mask: Bool[Tensor, "B h w"], cells: tuple[int, int]
) -> tuple[Float[Tensor, "B C _ _"], Bool[Tensor, "B _ _"]]:
    """Memory averaged to so many cells, over its real part, and a mask of cells with any."""
    # A mean over real cells only: padding must not pull the values towards zero.
    weight = adaptive_avg_pool2d(mask[:, None].float(), cells)
    total = adaptive_avg_pool2d(memory.float() * mask[:, None], cells)
    mean = torch.where(weight > 0, total / weight.clamp_min(1e-12), 0.0)
    return mean, weight[:, 0] > 0


def stored_bytes(
    options: CacheOptions,
    num_queries: int,
    token_dim: int,
    memory: MapSize,
    maps: Sequence[MapSize] = (),
) -> int:
    """Estimated bytes of an image on disk; an upper bound if `options.entities` is a number.

    Args:
        memory, maps: sizes as the detector gives them.
    """
    number = torch.finfo(options.torch_dtype).bits // 8
    entities = num_queries
    if options.entities is not None:
        entities = min(num_queries, options.entities + 2 * options.min_instances)
    total = entities * (ENTITY_BYTES + token_dim * number) + INDEX_BYTES
    height, width = stored_cells(options.memory, memory.cells)
    total += height * width * (memory.dim * number + 1)  # one byte of mask
    # their real part follows from the memory's mask, so they have none
    for dim, cells in maps:
        height, width = stored_cells(options.maps, cells)
        total += height * width * dim * number + MAP_INDEX_BYTES
    return total
