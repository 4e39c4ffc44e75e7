"""How much of a Scene is stored, and at which precision."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.masked import compact, gather_rows
from rmlr_lightning.ops.selection import Selection, select
from rmlr_lightning.types import Entities, Scene

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
BOX_BYTES = 4 * 4 + 4 + 1  # float32 box and score, one byte for the label
ROW_BYTES = 160  # an image's line in the shard's index, its file name included


class CacheOptions(NamedTuple):
    """Options of a cache. Boxes and scores are float32 whatever `dtype` says.

    Args:
        dtype: of tokens and memory: fp16, bf16 or fp32.
        memory: "full"; (h, w) averages it to so many cells; "none" keeps one mean, so that a Scene stays whole.
        entities: None keeps all queries; N the N most confident, and besides what `least` of the selection asks for.
        min_instances, nms_iou: of the model's `Selection`; they matter only where `entities` is a number.
    """

    dtype: str = "fp16"
    memory: str | tuple[int, int] = "full"
    entities: int | None = None
    min_instances: int = 3
    nms_iou: float = 0.5

    @property
    def cells(self) -> tuple[int, int] | None:
        """Height and width of the stored memory; None where it stays as it is."""
        return (
            {"full": None, "none": (1, 1)}.get(self.memory, self.memory)
            if isinstance(self.memory, str)
            else (self.memory)
        )

    def facts(self) -> dict:
        """As plain values; what does not matter is left out, so that it does not change a cache's key."""
        facts = {
            "dtype": self.dtype,
            "memory": self.memory if isinstance(self.memory, str) else list(self.memory),
        }
        few = {
            "entities": self.entities,
            "min_instances": self.min_instances,
            "nms_iou": self.nms_iou,
        }
        return facts | (few if self.entities is not None else {"entities": "all"})

    def pack(self, scene: Scene) -> Scene:
        """The Scene to store: entities chosen, memory averaged; tokens and memory in `dtype`."""
        dtype = DTYPES[self.dtype]
        if self.entities is not None:
            scene = scene._replace(entities=self._most(scene))
        memory, mask = scene.memory, scene.memory_mask
        if self.cells is not None:
            memory, mask = pooled(memory, mask, self.cells)
        entities = scene.entities
        entities = Entities(entities.boxes.float(), entities.scores.float(), *entities[2:])
        return scene._replace(
            entities=entities._replace(tokens=entities.tokens.to(dtype)),
            memory=memory.to(dtype),
            memory_mask=mask,
        )

    def image_bytes(
        self, queries: int, token_dim: int, memory_dim: int, memory: tuple[int, int]
    ) -> int:
        """Bytes of one image on disk, about; an upper bound where entities are left out."""
        height, width = self.cells or memory
        number = torch.finfo(DTYPES[self.dtype]).bits // 8
        count = (
            queries
            if self.entities is None
            else min(queries, self.entities + 2 * self.min_instances)
        )
        return (
            count * (BOX_BYTES + token_dim * number)
            + height * width * (memory_dim * number + 1)
            + ROW_BYTES
        )

    def _most(self, scene: Scene) -> Entities:
        """The most confident entities, and those that selection will want: it has to find `least` of either kind.

        Suppression among what is kept is suppression among all: the confident ones are all kept, and the others
        survived all.
        """
        entities = scene.entities
        score = torch.where(entities.mask, entities.scores.float(), -1.0)
        rank = score.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        keep = rank < self.entities
        # the row numbers stand in for the tokens, so that selection says which rows it took
        rows = torch.arange(keep.shape[1], device=keep.device, dtype=torch.float64).expand(
            keep.shape
        )[..., None]
        wanted = select(
            scene._replace(entities=entities._replace(tokens=rows)),
            Selection(2.0, self.nms_iou, self.min_instances, self.min_instances),
        ).entities
        image, place = wanted.mask.nonzero(as_tuple=True)
        keep[image, wanted.tokens[image, place, 0].long()] = True
        order, mask = compact(keep & entities.mask)
        return Entities(*(gather_rows(field, order) for field in entities[:4]), mask)


def cache_options(
    dtype: str,
    memory: str | Sequence[int],
    entities: int | None,
    selection: Selection | None = None,
) -> CacheOptions:
    """The options as a user gives them.

    Raises:
        UserError: what one of them may be.
    """
    if dtype not in DTYPES:
        raise UserError(f"features.dtype={dtype}: choose one of {', '.join(DTYPES)}")
    if not isinstance(memory, str):
        memory = tuple(memory)
        if len(memory) != 2 or not all(isinstance(side, int) and side > 0 for side in memory):
            raise UserError(
                f"features.memory={list(memory)}: expected two sides in cells, such as [3,4]"
            )
    elif memory not in ("full", "none"):
        raise UserError(
            f"features.memory={memory}: choose full, none, or two sides in cells, such as [3,4]"
        )
    if entities is not None and (not isinstance(entities, int) or entities < 1):
        raise UserError(f"features.entities={entities}: expected null (all) or a number from 1")
    selection = selection or Selection()
    return CacheOptions(dtype, memory, entities, selection.min_instances, selection.nms_iou)


def pooled(memory: Tensor, mask: Tensor, cells: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(B, C, h, w) averaged over what is real to so many cells, and which of these saw anything real."""
    weight = adaptive_avg_pool2d(mask[:, None].float(), cells)
    total = adaptive_avg_pool2d(memory.float() * mask[:, None], cells)
    return torch.where(weight > 0, total / weight.clamp_min(1e-12), 0.0), weight[:, 0] > 0
