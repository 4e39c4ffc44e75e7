"""What a training step asks of a GPU, counted without one.

A task on torch's `meta` device takes the branches of a GPU, and computes nothing. Whatever would
wait for a GPU (`item`, `nonzero`, `if tensor`) is an error there, because there are no values. The
operations that reach the device are counted: all that are not views or allocations. Most are one
kernel; a sort or a convolution's backward pass is several, so that a profiler on a GPU counts some
per cent more. Clipping and AdamW (fused) add about 20, and Lightning's log about 30.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FREE = {  # views and allocations, and scalars that are arguments of a kernel
    *(
        "view",
        "_unsafe_view",
        "_reshape_alias",
        "expand",
        "t",
        "transpose",
        "permute",
        "as_strided",
    ),
    *("unsqueeze", "squeeze", "select", "slice", "split", "split_with_sizes", "unbind", "diagonal"),
    *("detach", "alias", "lift_fresh", "unfold"),
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "scalar_tensor"),
}


class Operations(TorchDispatchMode):
    """Counts operations by name, and copies from the CPU, for which a GPU waits."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.copies = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        name = func._schema.name.split("::")[1]
        found = func(*args, **(kwargs or {}))
        if name not in FREE:
            self.names[name] += 1
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        is_meta = any(isinstance(v, Tensor) and v.is_meta for v in tree_leaves(found))
        self.copies += is_meta and any(not x.is_meta and x.numel() > 1 for x in tensors)
        return found


def to_meta(record: Any) -> Any:
    """A (nested) record of tensors without values."""
    return tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, record)


def counted(run: Callable[[], object]) -> Operations:
    """The operations of `run`, with the kernels that a GPU has for attention and dropout."""
    with _fused_kernels(), Operations() as operations:
        run()
    return operations


@contextmanager
def _fused_kernels() -> Any:
    def attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        bias = None
        if attn_mask is not None:
            bias = torch.where(attn_mask, 0.0, -torch.inf)
            bias = bias.expand(*q.shape[:3], k.shape[2])
        kernel = torch.ops.aten._scaled_dot_product_efficient_attention
        return kernel(q, k, v, bias, True)[0]

    def dropout(x: Tensor, p: float, training: bool, inplace: bool = False) -> Tensor:
        return torch.native_dropout(x, p, training)[0]

    def autocast(*_: object, **__: object) -> AbstractContextManager:
        return nullcontext()  # torch has none for this device

    with (
        patch.object(F, "scaled_dot_product_attention", attention),
        patch.object(F, "dropout", dropout),
        patch.object(torch, "autocast", autocast),
    ):
        yield
