"""Losses that fail, or send signals, in one of two processes."""

import os
import signal
from pathlib import Path

import torch
import torch.distributed
from pytorch_lightning import Callback
from torch import nn

from rmlr_lightning.errors import UserError

# signal, and whether the first process gets it
SIGNALS = {
    "killed": (signal.SIGKILL, False),
    "first killed": (signal.SIGKILL, True),
    "interrupted": (signal.SIGINT, True),
    "terminated": (signal.SIGTERM, True),
}


class Failing(nn.Module):
    """In the second process only: NaN, a mistake of the user's, or a signal to one of the two."""

    def __init__(self, how: str, at_step: int = 0) -> None:
        super().__init__()
        self.how, self.at_step, self.step = how, at_step, 0

    def forward(self, prediction, labels):
        self.step += 1
        value = 0 * prediction.logits.sum()
        if torch.distributed.get_rank() == 0 or self.step <= self.at_step:
            return value
        if self.how == "infinite":
            return value * torch.nan
        if self.how == "mistake":
            raise UserError("bad.json: row 7 is wrong")
        done = Path("signalled")  # in the folder of the run, which may resume
        if not done.exists():
            done.touch()
            signum, first = SIGNALS[self.how]
            os.kill(os.getppid() if first else os.getpid(), signum)
        return value


class Terminated(Callback):
    """Sends SIGTERM to this process in the first batch of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            self.step = -1
            os.kill(os.getpid(), signal.SIGTERM)
