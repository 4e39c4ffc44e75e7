"""Reductions and gathers over padded tensors. Masks are True on what is real."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.types import Scene


def gather_rows(values: Tensor, index: Int[Tensor, "B K"]) -> Tensor:
    """Rows of `values` (B, N, ...) at `index` (B, K): (B, K, ...)."""
    trailing = values.shape[2:]
    expanded = index.reshape(*index.shape, *[1] * len(trailing)).expand(*index.shape, *trailing)
    return torch.gather(values, 1, expanded)


def masked_mean(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Mean over the real rows of each image; zeros where there are none."""
    weights = mask.unsqueeze(-1).to(values.dtype)
    return (values * weights).sum(1) / weights.sum(1).clamp_min(1)


def at_least_float32(values: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; float32 and float64 as they are."""
    return values.float() if values.dtype.itemsize < 4 else values


def can_count(values: Tensor) -> bool:
    """Whether code may depend on values: on a CPU. A GPU would have to be waited for.

    Compiled code is that of a GPU everywhere, so that it has no data-dependent sizes.
    """
    return values.device.type == "cpu" and not torch.compiler.is_compiling()


def compact(mask: Bool[Tensor, "B N"]) -> tuple[Int[Tensor, "B K"], Bool[Tensor, "B K"]]:
    """Indices that bring the real rows of each image to the front, in order, and their mask.

    K is the largest count of real rows, at least 1, at most N: a GPU waits for this number.
    """
    counts = mask.sum(1)
    needed = max(1, int(counts.max())) if mask.numel() else 1
    width = min(needed, mask.shape[1])

    # a stable sort of "is padding" keeps the order of the real rows
    index = torch.argsort((~mask).to(torch.uint8), dim=1, stable=True)[:, :width]
    return index, torch.arange(width, device=mask.device) < counts[:, None]


def resized_mask(mask: Bool[Tensor, "B m n"], size: Sequence[int]) -> Bool[Tensor, "B h w"]:
    """The mask of a map of another size (h, w) whose real part is the same share of it."""
    # no shortcut for equal sizes: an exported graph would hold for these alone
    return F.interpolate(mask[:, None].float(), size=tuple(size), mode="nearest")[:, 0] > 0.5


def map_mask(scene: Scene, name: str) -> Bool[Tensor, "B h w"]:
    """The real cells of one of the further maps of a Scene."""
    mask = scene.map_masks.get(name)
    return resized_mask(scene.memory_mask, scene.maps[name].shape[2:]) if mask is None else mask
