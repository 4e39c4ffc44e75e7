"""Losses that fail in one of two processes."""

import os

import torch
import torch.distributed
from torch import nn

from rmlr_lightning.errors import UserError


class Failing(nn.Module):
    """NaN, a mistake of the user's, or the end of the process, in the second process only."""

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
        os._exit(1)
