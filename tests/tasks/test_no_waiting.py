"""From a batch on the device to the optimiser's step nothing waits for the device."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_
from torch.utils._pytree import tree_map

from rmlr_lightning.ops.candidates import select_and_pair
from rmlr_lightning.types import Inputs
from tests.tasks.tiny_task import LOSSES, random_batch, tiny_task

WHOLE = {name: loss for name, loss in LOSSES.items() if name != "word_irm"}  # without `balance`


def on(device: str, record):
    return tree_map(lambda x: x.to(device) if isinstance(x, Tensor) else x, record)


def prepared(task, seed: int):
    """A batch as the loader makes it."""
    batch = random_batch(3, seed=seed)
    scene, pairs = select_and_pair(batch.inputs.scene, task.model.rules.cpu())
    return batch._replace(inputs=Inputs(None, scene, pairs=pairs))


def test_a_step_needs_no_value_of_any_tensor(monkeypatch):
    """Tensors of the device `meta` have none: `item`, `nonzero` and `if tensor` are errors."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    task = tiny_task(WHOLE)
    batch = prepared(task, 0)
    task = task.to("meta")
    inputs, truth = on("meta", (batch.inputs, batch.truth))
    scene, pairs, _ = task.model.candidates(inputs)
    terms, _ = task.terms(scene, pairs, None, truth)
    terms.sum().backward()
    assert terms.shape == (len(WHOLE),)
    assert sum(weight.grad is not None for weight in task.parameters()) > 40
    with pytest.raises((NotImplementedError, RuntimeError)):
        terms.sum().item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_is_never_waited_for(compiled):
    task = tiny_task(WHOLE, compiled=compiled).cuda()
    optimizer = task.optim(task, 10)["optimizer"]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    batches = [on("cuda", prepared(task, seed)) for seed in range(3)]

    def step(batch) -> None:
        task.training_step(batch, 0).backward()
        task.watch.end(optimizer, weights, "the test")
        clip_grads_with_norm_(weights, 1.0, task.watch.norm)
        optimizer.step()

    for batch in batches:
        step(batch)  # allocates, and compiles
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches:
            step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(weight.isfinite().all() for weight in weights)
