"""One line per epoch, and nothing else, where the output is no terminal."""

import re

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

from rmlr_lightning.callbacks.durations import duration
from rmlr_lightning.callbacks.epoch_table import EpochTable
from rmlr_lightning.types import Batch, Inputs
from tests.tasks.tiny_task import QUIET

BATCHES = [Batch(Inputs(None), None, [0, 1, 2])] * 4


class Task(LightningModule):
    """Its loss is 2, its metric 0.25 after the first epoch."""

    def __init__(self, *losses: str) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.losses = losses

    def training_step(self, batch, index):
        for name in self.losses:
            self.log(name, 2.0, on_step=False, on_epoch=True, batch_size=3)
        return self.weight * 2

    def validation_step(self, batch, index):
        self.log("val/map_full", 0.25, batch_size=3)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def printed(capsys, task, **options) -> list[str]:
    options = QUIET | {"max_epochs": 2, "enable_progress_bar": True} | options
    trainer = Trainer(**options, callbacks=[EpochTable("val/map_full")])
    loader = DataLoader(BATCHES, batch_size=None)
    trainer.fit(task, loader, loader)
    return capsys.readouterr().out.splitlines()


def test_every_epoch_is_one_line(capsys):
    weights, header, *rows = printed(capsys, Task("train/loss", "train/loss_word_ire"))
    assert weights == "weights: 1 trained"
    assert header.split() == "epoch loss val map full % s images/s time left".split()
    cells = [row.split() for row in rows]
    assert [row[:3] for row in cells] == [["1/2", "2.0000", "25.00"], ["2/2", "2.0000", "25.00"]]
    assert all(float(row[4]) > 0 and re.fullmatch(r"\d+:\d\d", row[5]) for row in cells)
    assert cells[-1][5] == "0:00"
    assert len({len(line) for line in (header, *rows)}) == 1


def test_terms_of_a_loss_are_added_and_what_is_not_known_stays_empty(capsys):
    options = {"max_epochs": -1, "max_steps": 4, "limit_val_batches": 0}
    _, _, row = printed(capsys, Task("train/loss_set", "train/loss_dense"), **options)
    epoch, loss, *_ = row.split()
    assert (epoch, loss) == ("1", "4.0000") and len(row.split()) == 4


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (245, "4:05"), (5400, "1:30:00")]
)
def test_durations_are_read_as_a_clock(seconds, text):
    assert duration(seconds) == text
