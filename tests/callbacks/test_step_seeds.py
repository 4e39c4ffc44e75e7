"""Random numbers of a step follow from seed, epoch, batch and process."""

from itertools import product
from types import SimpleNamespace

import torch

from rmlr_lightning.callbacks.step_seeds import StepSeeds


def drawn(seed: int, epoch: int, rank: int, batch: int) -> float:
    trainer = SimpleNamespace(current_epoch=epoch, global_rank=rank)
    StepSeeds(seed).on_train_batch_start(trainer, None, None, batch)
    return float(torch.rand((), dtype=torch.float64))


def test_a_step_draws_the_same_whatever_was_drawn_before():
    first = drawn(1, 2, 0, 3)
    torch.rand(100)
    assert drawn(1, 2, 0, 3) == first


def test_no_two_steps_draw_the_same():
    numbers = [drawn(*place) for place in product((0, 1), (0, 1), (0, 1), (0, 1))]
    assert len(set(numbers)) == len(numbers)
