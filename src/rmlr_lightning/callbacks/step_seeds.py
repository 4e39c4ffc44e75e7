"""Random numbers of a training step that do not depend on what came before it."""

from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class StepSeeds(Callback):
    """Seeds torch, on CPU and GPU, before every training batch (dropout, stochastic depth).

    The seed follows from those of the run, epoch, batch and process. A run that resumes draws what
    it would have drawn without the interruption, and no generator is stored.

    Args:
        seed: of the run, not negative.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        numbers = (self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]))
