"""Reductions and gathers over padded tensors. Masks are True on what is real."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def gather_rows(values: Tensor, index: Int[Tensor, "B K"]) -> Tensor:
    """values (B, N, ...) at index (B, K) -> (B, K, ...)."""
    expanded = index.reshape(*index.shape, *[1] * (values.ndim - 2)).expand(
        *index.shape, *values.shape[2:]
    )
    return torch.gather(values, 1, expanded)


def masked_mean(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Mean over the real rows of each image; zeros where there are none."""
    weights = mask.unsqueeze(-1).to(values.dtype)
    return (values * weights).sum(1) / weights.sum(1).clamp_min(1)


def compact(
    mask: Bool[Tensor, "B N"], multiple: int = 1
) -> tuple[Int[Tensor, "B K"], Bool[Tensor, "B K"]]:
    """Bring the real rows of each image to the front, in order, and drop columns that no image needs.

    Returns:
        index (B, K) of the rows to take and their mask; K = the largest count, rounded up to `multiple`, at least 1.
    """
    counts = mask.sum(1)
    width = max(1, int(counts.max())) if mask.numel() else 1
    width = min(-(-width // multiple) * multiple, mask.shape[1]) if mask.shape[1] else 0
    order = torch.argsort((~mask).to(torch.uint8), dim=1, stable=True)[:, :width]
    return order, torch.arange(width, device=mask.device) < counts[:, None]
