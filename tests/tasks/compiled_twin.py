"""Prints how each of some compiled trainings compares with an eager one, as a line of JSON.

In a process of its own, because the shape checks of the tests cannot be traced.
"""

import json
import sys
from functools import partial

import torch
from torch import Tensor

from rmlr_lightning.ops.capacity import Capacities
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Batch
from tests.tasks.tiny_task import LOSSES, random_batch, tiny_task

# sizes of the batches' Scenes; those of one number of entities have one number of pairs
ENTITIES = (2, 9, 3, 9)


def gradients(task: HOITask, batch: Batch) -> dict[str, Tensor]:
    """The gradient of each weight after a step without optimiser."""
    task.zero_grad()
    task.training_step(batch, 0).backward()
    return {name: w.grad.clone() for name, w in task.named_parameters() if w.grad is not None}


def largest_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Over all weights, relative to the largest gradient of each."""
    assert found.keys() == expected.keys()
    return max(
        float((found[name] - value).abs().max() / value.abs().max().clamp_min(1e-6))
        for name, value in expected.items()
    )


def made(compiled: bool, counting: bool) -> HOITask:
    """A task whose entities are all selected.

    Args:
        counting: a loss counts the phrases of the step, so that labels are made before all others,
            in a graph of their own, as for several processes.
    """
    names = ["interaction", "sentence_ire", "sentence_irm", "word_ire"] + ["word_irm"] * counting
    return tiny_task({name: LOSSES[name] for name in names}, compiled=compiled)


def compare(step: str) -> dict:
    """Differences of gradients, and numbers of graphs and of their breaks."""
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    eager, compiled = (made(is_compiled, step == "counting") for is_compiled in (False, True))
    compiled.capacities = Capacities(compiled.model.selection, 0)
    compiled.capacities.reserve({"memory": (8, 8)}, 4)
    batches = [random_batch(2, seed, count) for seed, count in enumerate(ENTITIES)]
    first = [largest_difference(gradients(compiled, b), gradients(eager, b)) for b in batches]

    counters = torch._dynamo.utils.counters
    graphs = counters["stats"]["unique_graphs"]
    with torch.compiler.set_stance("fail_on_recompile"):
        for batch in batches[::-1]:
            gradients(compiled, batch)

    # dropout follows from the seed of the step
    for part in compiled.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.5
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(gradients(compiled, batches[1]))
    repeats = largest_difference(drawn[0], drawn[1]), largest_difference(drawn[0], drawn[2])
    breaks = sum(counters["graph_break"].values())
    return {"difference": max(first), "graphs": graphs, "breaks": breaks, "repeats": repeats}


def main(backend: str, *steps: str) -> None:
    torch.compile = partial(torch.compile, backend=backend)
    print(json.dumps({step: compare(step) for step in steps}))


if __name__ == "__main__":
    main(*sys.argv[1:])
