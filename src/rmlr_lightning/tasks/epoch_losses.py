"""Means of the loss terms over the images of an epoch."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rmlr_lightning.tasks.step import total


class EpochLosses:
    """Sums of the loss terms so far: one operation per step.

    Lightning's log would start five kernels for each term in each step. Its checkpoints lack the
    sums, so that a run that resumes within an epoch would have the mean of the rest.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None  # (terms,)
        self._images = 0

    def add(self, values: Float[Tensor, "terms"], images: int) -> None:
        """The means of the terms over the images of a step."""
        if self._sums is None:
            self._sums = torch.zeros_like(values)
        self._sums.add_(values, alpha=images)
        self._images += images

    def take(self) -> tuple[Float[Tensor, "terms"], int] | None:
        """Means and the number of images; begins anew. None if there were no steps."""
        sums, images = self._sums, self._images
        self._sums, self._images = None, 0
        return None if sums is None else (sums / images, images)

    def state_dict(self) -> dict[str, Any]:
        """Of all processes, which call this at once."""
        if self._sums is None:
            return {}
        parts = torch.cat([self._sums, self._sums.new_tensor([self._images])])
        *sums, images = total(parts).tolist()
        return {"sums": sums, "images": int(images)}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Continue from a state. Only one process does, because a state is of all of them."""
        if state:
            self._sums = torch.tensor(state["sums"], device=device)
            self._images = state["images"]
