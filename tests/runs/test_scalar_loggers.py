"""CSV and TensorBoard get the values that any other logger gets, such as Weights & Biases."""

import csv
import itertools
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import Logger
from torch.utils.data import DataLoader

from rmlr_lightning.callbacks.speed import log_scalars
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs import loggers as loggers_of_a_run
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.loggers import check_loggers, one_log_per_run


class Remembered(Logger):
    """Keeps what Lightning and our callbacks send to a logger."""

    name = version = "remembered"

    def __init__(self):
        super().__init__()
        self.values: dict[tuple[str, int], float] = {}

    def log_metrics(self, metrics, step):
        self.values |= {(name, step): value for name, value in metrics.items() if name != "epoch"}

    def log_hyperparams(self, *_):
        pass


class Task(LightningModule):
    """Logs as the tasks do: at steps, at the end of epochs, in validation and test."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch, index):
        loss = self.weight * (index + 1)
        self.log_dict({"train/loss": loss, "train/loss_word_ire": 2 * loss}, on_epoch=True)
        return loss

    def on_train_epoch_end(self):
        log_scalars(self.trainer, {"cost/images_per_second": 3.5, "gradient/word_ire": 0.25})

    def validation_step(self, batch, index):
        self.log("val/map_full", 0.5 + self.current_epoch)

    def test_step(self, batch, index):
        self.log("test/map_full", 0.75)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def csv_values(folder: Path) -> dict[tuple[str, int], float]:
    with (folder / "metrics.csv").open() as file:
        return {
            (name, int(row["step"])): float(text)
            for row in csv.DictReader(file)
            for name, text in row.items()
            if text and "/" in name
        }


def tensorboard_values(folder: Path) -> dict[tuple[str, int], float]:
    """From records of a length, its checksum, an event and its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in folder.glob("events.*"):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = Event.FromString(data[place + 12 : place + 12 + length])
            place += length + 16
            for value in event.summary.value:
                if "/" in value.tag and not value.tag.startswith("_"):
                    found[value.tag, event.step] = value.simple_value
    return found


def test_csv_and_tensorboard_have_the_values_of_every_logger(tmp_path, monkeypatch):
    writer = pytest.importorskip(
        "tensorboardX.event_file_writer", reason="needs rmlr-lightning[tensorboard]"
    )
    # files are named by the second: those of training and of testing in one would be the same
    clock = SimpleNamespace(time=itertools.count(1_700_000_000).__next__)
    monkeypatch.setattr(writer, "time", clock)
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [f"paths.output={tmp_path}", "logger=tensorboard"])
    loggers = [*instantiate(cfg.logger).values(), Remembered()]
    trainer = Trainer(
        logger=loggers,
        max_epochs=2,
        log_every_n_steps=2,
        accelerator="cpu",
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    batches = DataLoader(range(4), num_workers=0)
    task = Task()
    with one_log_per_run(trainer.loggers, cfg):
        trainer.fit(task, batches, batches)
        trainer.test(task, batches, verbose=False)
    for logger in loggers[:2]:
        logger.finalize("success")

    expected = loggers[-1].values
    names = {name for name, _ in expected}
    assert {"train/loss_step", "val/map_full", "test/map_full", "gradient/word_ire"} <= names
    assert csv_values(tmp_path / "log" / "version_0") == pytest.approx(expected)
    assert tensorboard_values(tmp_path / "tensorboard" / "version_0") == pytest.approx(expected)


@pytest.mark.fault
def test_without_a_writer_the_extra_is_named(monkeypatch):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", ["paths.output=.", "logger=tensorboard"])
    monkeypatch.setattr(loggers_of_a_run, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'rmlr-lightning\[tensorboard\]'$"):
        check_loggers(cfg.logger)
    check_loggers(None)
    del cfg.logger.tensorboard
    check_loggers(cfg.logger)
