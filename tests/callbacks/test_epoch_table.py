"""One line per epoch, and nothing else, where the output is no terminal."""

import csv
import itertools
import re
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from rmlr_lightning.callbacks import epoch_table
from rmlr_lightning.callbacks.durations import duration
from rmlr_lightning.callbacks.epoch_table import EpochTable
from rmlr_lightning.callbacks.speed import Speed
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


class SaveWithinEpoch(Callback):
    """Saves after two of the four batches of the second epoch."""

    def __init__(self, path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if (trainer.current_epoch, batch_idx) == (1, 1):
            trainer.save_checkpoint(self.path, weights_only=False)


@pytest.mark.filterwarnings("ignore:.*dataloader is not resumable")  # that of the package is
def test_a_run_resumed_within_an_epoch_measures_the_rest_of_it(capsys, tmp_path, monkeypatch):
    path, task = tmp_path / "within.ckpt", Task("train/loss")
    loader = DataLoader(BATCHES, batch_size=None)
    Trainer(**QUIET, max_epochs=2, callbacks=[SaveWithinEpoch(path)]).fit(task, loader, loader)
    # as long after the start of the machine as a second process may be
    clock = itertools.count(5000.0)
    monkeypatch.setattr(epoch_table.time, "perf_counter", lambda: next(clock))
    speed, logged = Speed(), CSVLogger(tmp_path)
    options = QUIET | {"max_epochs": 4, "enable_progress_bar": True, "logger": logged}
    options |= {"log_every_n_steps": 1}
    table = EpochTable("val/map_full")
    Trainer(**options, callbacks=[table, speed]).fit(task, loader, loader, ckpt_path=path)
    *_, second, third, last = (row.split() for row in capsys.readouterr().out.splitlines())
    assert [row[0] for row in (second, third, last)] == ["2/4", "3/4", "4/4"]
    assert float(second[3]) < float(third[3]) == float(last[3]) < 5000
    # half an epoch is no measure of those that are left
    assert len(second) == 5 and [third[-1], last[-1]] == [duration(float(third[3])), "0:00"]
    rows = list(csv.DictReader(Path(logged.log_dir, "metrics.csv").read_text().splitlines()))
    waited = [float(row["cost/data_wait_share"]) for row in rows if row["cost/data_wait_share"]]
    assert len(waited) == 3 and max(waited) < 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (245, "4:05"), (5400, "1:30:00")]
)
def test_durations_are_read_as_a_clock(seconds, text):
    assert duration(seconds) == text
