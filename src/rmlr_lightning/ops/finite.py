"""NaN and infinity, found by sums: one pass over the values, and no copy of them."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Prediction, Scene


def finite_rows(values: Tensor) -> Bool[Tensor, " B"]:
    """Whether all values of each row are finite."""
    # half precision would overflow in the sum
    return values.flatten(1).sum(1, dtype=torch.float32).isfinite()


def finite_scenes(scene: Scene) -> Bool[Tensor, " B"]:
    """Whether a detector's outputs for each image are finite. Padding is zero."""
    entities = scene.entities
    parts = [entities.boxes, entities.scores, scene.memory, *scene.maps.values()]
    if entities.tokens.numel():
        parts.append(entities.tokens)
    return torch.stack([finite_rows(part) for part in parts if part.numel()]).all(0)


def finite_logits(prediction: Prediction) -> Bool[Tensor, " B"]:
    """Whether the logits of each image are finite. Those of padding may be anything."""
    return finite_rows(torch.where(prediction.pairs.mask[..., None], prediction.logits, 0))


def check_weights(weights: Mapping[str, Any], source: str) -> None:
    """Refuse weights with NaN or infinite values, with which every result is zero.

    Args:
        source: the file; starts the message.

    Raises:
        UserError: there are some.
    """
    wrong = [name for name, value in weights.items() if not _is_finite(value)]
    if wrong:
        raise UserError(
            f"{source}: {len(wrong)} of {len(weights)} weights are NaN or infinite, such as "
            f"{wrong[0]}: the training that wrote them diverged, or the file is damaged; use "
            "another one"
        )


def _without_repetition(value: Tensor) -> Tensor:
    """All values once: an expanded tensor repeats those that it stores."""
    for dim, stride in enumerate(value.stride()):
        if stride == 0:
            value = value.narrow(dim, 0, 1)
    return value


def _is_finite(value: Any) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point() or not value.numel():
        return True
    if value.layout == torch.strided and not value.is_meta:
        value = _without_repetition(value)
        # a file of some bytes can state any shape; views that overlap are in no honest one
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            return False
    # a sum of finite values can be infinite, but that is rare: only then is each one examined
    is_sum_finite = bool(value.detach().sum(dtype=torch.float32).isfinite())
    return is_sum_finite or bool(value.isfinite().all())
