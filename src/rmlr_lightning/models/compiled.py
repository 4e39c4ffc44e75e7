"""`torch.compile` as this package uses it: whole graphs, one for each size."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

# Sizes beyond the four levels of `ops.capacity`: other batch sizes, more annotated pairs, and each
# of them for training and evaluation. torch gives up at 8.
MAX_GRAPHS = 32


class Compiled:
    """A function of records of tensors, compiled at its first call.

    A break of the graph is an error. On a GPU the graph is launched at once (a CUDA graph), where
    its outputs hold until the next `begin_step`.

    Args:
        function: without data-dependent sizes and control flow.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        """What `function` returns."""
        if self._compiled is None:
            torch._dynamo.config.recompile_limit = MAX_GRAPHS
            on_gpu = any(isinstance(x, Tensor) and x.is_cuda for x in tree_leaves(args))
            mode = "reduce-overhead" if on_gpu else None
            self._compiled = torch.compile(self.function, fullgraph=True, dynamic=False, mode=mode)
        return self._compiled(*args)

    def __getstate__(self) -> dict[str, Any]:
        # graphs are not copied or sent: they are compiled again
        return {"function": self.function, "_compiled": None}


def begin_step() -> None:
    """Called before the first compiled graph of each step: outputs of earlier ones may go."""
    torch.compiler.cudagraph_mark_step_begin()
