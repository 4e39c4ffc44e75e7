"""Speed and waiting time by a clock of the test's own."""

from types import SimpleNamespace

import pytest
import torch

from rmlr_lightning.callbacks import speed
from rmlr_lightning.callbacks.speed import Speed

BATCH = SimpleNamespace(image_ids=[1, 2, 3, 4])


class Logger:
    def __init__(self):
        self.logged = []

    def log_metrics(self, values, step):
        self.logged.append((step, values))


def test_waiting_and_validation_are_told_apart_from_training(monkeypatch):
    now = iter([0.0, 1.0, 4.0, 5.0, 8.0])  # wait 1, train 3, wait 1, train 3
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(now))
    trainer = SimpleNamespace(loggers=[Logger(), Logger()], current_epoch=2, global_step=6)
    module = SimpleNamespace(device=torch.device("cpu"))
    callback = Speed()
    callback.on_train_epoch_start(trainer, module)
    for index in range(2):
        callback.on_train_batch_start(trainer, module, BATCH, index)
        callback.on_train_batch_end(trainer, module, None, BATCH, index)
    # a validation runs here, and is not counted: no clock is read any more
    callback.on_train_epoch_end(trainer, module)
    for logger in trainer.loggers:
        ((step, values),) = logger.logged
        assert (step, values["epoch"]) == (6, 2)
        assert values["cost/images_per_second"] == pytest.approx(1.0)
        assert values["cost/data_wait_share"] == pytest.approx(0.25)
        assert values["cost/memory_gb"] > 0.01


def test_an_epoch_without_batches_logs_nothing():
    trainer = SimpleNamespace(loggers=[Logger()], current_epoch=0, global_step=0)
    callback = Speed()
    callback.on_train_epoch_start(trainer, None)
    callback.on_train_epoch_end(trainer, None)
    assert not trainer.loggers[0].logged
