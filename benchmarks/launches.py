"""What a training step asks of a GPU, counted without one.

A task on torch's `meta` device takes the branches of a GPU, and computes nothing. Whatever would
wait for a GPU (`item`, `nonzero`, `if tensor`) is an error there, because there are no values. Each
operation that reaches the device counts as the kernels that torch's sources start for it, in
float32. Libraries may add some: convolutions that change the layout, products in several parts.
Autocast adds a copy of each weight, and of its gradient.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils import _foreach_utils
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FREE = {  # views and allocations, and on a CPU alone: reading a number, names for a profiler
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
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"),
    *("_local_scalar_dense", "_record_function_enter_new", "_record_function_exit"),
}
SEVERAL = {  # kernels of one operation
    "native_layer_norm_backward": 2,
    "_scaled_dot_product_efficient_attention_backward": 2,
    "logsumexp": 9,
    "sort": 3,
    "_foreach_norm": 3,
}
# Operations on lists of tensors: so many tensors are one kernel (ATen's MultiTensorApply.cuh).
PER_KERNEL = {"_fused_adamw_": 36, "_foreach_sub_": 64, "_foreach_add_": 110, "_foreach_mul_": 110}


def kernels(name: str, args: tuple) -> int:
    """The kernels that an operation starts."""
    if name in FREE:
        return 0
    if name == "convolution_backward":
        return sum(args[-1])  # one for each gradient that is wanted
    if name in PER_KERNEL:
        return -(-len(args[0]) // PER_KERNEL[name])
    return SEVERAL.get(name, 1)


class Operations(TorchDispatchMode):
    """Counts kernels by operation, and copies from the CPU, for which a GPU waits."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()
        self.copies = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        name = func._schema.name.split("::")[1]
        found = func(*args, **(kwargs or {}))
        self.kernels[name] += kernels(name, args)
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        is_meta = any(isinstance(v, Tensor) and v.is_meta for v in tree_leaves(found))
        self.copies += is_meta and any(not x.is_meta and x.numel() > 1 for x in tensors)
        return found


def to_meta(record: Any) -> Any:
    """A (nested) record of tensors without values."""
    return tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, record)


def counted(run: Callable[[], object]) -> Operations:
    """The operations of `run`, with those that a GPU has for attention, dropout and clipping."""
    with _fused_kernels(), Operations() as operations:
        run()
    return operations


@contextmanager
def _fused_kernels() -> Any:
    plain_attention = F.scaled_dot_product_attention

    def attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        if not q.is_meta:
            return plain_attention(q, k, v, attn_mask)
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
        # a GPU clips all gradients at once
        patch.object(_foreach_utils, "_get_foreach_kernels_supported_devices", lambda: ["cpu"]),
    ):
        yield
