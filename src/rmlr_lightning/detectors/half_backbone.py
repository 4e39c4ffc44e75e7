"""A frozen detector whose backbone runs in bfloat16, and all that follows it in float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from rmlr_lightning.errors import UserError


@contextmanager
def half_backbone(detector: nn.Module) -> Iterator[None]:
    """Inside the context the backbone of a detector of transformers computes in bfloat16.

    It has most of the arithmetic. Encoder, decoder, classes and boxes stay in float32: bfloat16
    leaves a box three digits, which are pixels.

    Raises:
        UserError: the detector has no backbone of its own.
    """
    first = getattr(detector, "detector", detector)  # of `detectors.second_network`
    backbone = getattr(getattr(getattr(first, "network", None), "model", None), "backbone", None)
    if backbone is None:
        raise UserError("features.precision=bf16: this detector has no backbone; leave it out")
    plain = backbone.forward

    def forward(pixels: Tensor, *others: Any, **options: Any) -> Any:
        with torch.autocast(pixels.device.type, torch.bfloat16):
            outputs = plain(pixels, *others, **options)
        return tree_map_only(Tensor, _single, outputs)

    backbone.forward = forward
    try:
        yield
    finally:
        del backbone.forward


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
