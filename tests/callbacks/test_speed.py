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


WAIT, TRAIN, VALIDATE, START = 1.0, 3.0, 100.0, 0.0
EPOCHS = {
    "at_its_end": (START, WAIT, TRAIN, WAIT, TRAIN, VALIDATE),
    "within_it": (START, WAIT, TRAIN, VALIDATE, WAIT, TRAIN),
    "after_each_batch": (START, WAIT, TRAIN, VALIDATE, WAIT, TRAIN, VALIDATE),
    "before_it": (VALIDATE, START, WAIT, TRAIN, WAIT, TRAIN),
}


@pytest.mark.parametrize("epoch", EPOCHS.values(), ids=EPOCHS)
def test_waiting_and_validation_are_told_apart_from_training(epoch, monkeypatch):
    now = 0.0
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now)
    trainer = SimpleNamespace(loggers=[Logger(), Logger()], current_epoch=2, global_step=6)
    module = SimpleNamespace(device=torch.device("cpu"))
    callback = Speed()
    for phase in epoch:
        if phase == VALIDATE:
            callback.on_validation_start(trainer, module)
        now += phase
        if phase == START:
            callback.on_train_epoch_start(trainer, module)
        elif phase == WAIT:
            callback.on_train_batch_start(trainer, module, BATCH, 0)
        elif phase == TRAIN:
            callback.on_train_batch_end(trainer, module, None, BATCH, 0)
        else:
            callback.on_validation_end(trainer, module)
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
