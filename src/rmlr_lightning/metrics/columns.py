"""Fields of detections as arrays."""

from collections.abc import Sequence

import numpy as np
import torch


def column(items: Sequence, name: str) -> np.ndarray:
    """A field of all items, concatenated. bfloat16 becomes float32, which numpy lacks."""
    tensors = [torch.as_tensor(getattr(item, name)) for item in items]
    tensor = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)
