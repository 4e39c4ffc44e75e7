"""`torch.compile` as this package uses it: whole graphs, one for any number of rows."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from rmlr_lightning.types import Entities, Labels, Pairs

# Before, torch took the strides of activations from the sizes of the first batch, so that the
# backward pass of others failed.
ANY_ROWS = torch.__version__ >= (2, 15)

# For other batch sizes, larger maps and more annotated pairs, each of them for training and
# evaluation, and before torch 2.15 for the four levels of `ops.capacity`. torch gives up at 8.
MAX_GRAPHS = 32

# Records "B N ..." whose numbers of rows (entities, pairs) differ from batch to batch.
ROWS = (Entities, Pairs, Labels)


class Compiled:
    """A function of records of tensors, compiled at its first call.

    A break of the graph is an error. From torch 2.15 on, one graph serves all numbers of entities
    and pairs; before, there is one for each. On a GPU it is recorded for each of them and launched
    at once (a CUDA graph), where its outputs hold until the next `begin_step`. So the numbers
    should be few (`ops.capacity`).

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
            dynamic = None if ANY_ROWS else False  # None: what is marked, or was seen to differ
            self._compiled = torch.compile(
                self.function, fullgraph=True, dynamic=dynamic, mode=mode
            )
        if ANY_ROWS:
            _mark_rows(args)
        return self._compiled(*args)

    def __getstate__(self) -> dict[str, Any]:
        # graphs are not copied or sent: they are compiled again
        return {"function": self.function, "_compiled": None}


def _mark_rows(records: Any) -> None:
    """Let graphs hold for any number of rows of these (nested) records."""
    if isinstance(records, ROWS):
        for values in records:
            if isinstance(values, Tensor):
                torch._dynamo.mark_dynamic(values, 1)
    elif isinstance(records, tuple):
        for record in records:
            _mark_rows(record)


def begin_step() -> None:
    """Called before the first compiled graph of each step: outputs of earlier ones may go."""
    torch.compiler.cudagraph_mark_step_begin()
