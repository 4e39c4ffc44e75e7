"""A run that is told to stop loses no step, and ends like one that was left alone."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from rmlr_lightning.callbacks.movable_checkpoint import MovableCheckpoint
from rmlr_lightning.callbacks.stop_checkpoint import StopCheckpoint, heed_parent_only
from rmlr_lightning.runs.stop_signals import Stopped, stop_on_signals
from tests.tasks.tiny_task import QUIET

pytestmark = [
    pytest.mark.fault,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # the data of these steps are of no concern
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable"),
    # Lightning's advice
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
]
BATCHES = 6


class Model(LightningModule):
    """What a step does follows from its number, so that no data must be restored."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def training_step(self, batch, index):
        return (self.weight * (index + 1 + self.current_epoch) / 7).square().sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


class Signals(Callback):
    """Sends signals in one batch of the second epoch."""

    def __init__(self, batch: int, *signums: int) -> None:
        self.batch, self.signums = batch, signums

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == self.batch:
            for signum in self.signums:
                signal.raise_signal(signum)


def run(folder: Path, *callbacks: Callback, resume: bool = False) -> tuple[Model, Trainer]:
    last = MovableCheckpoint(
        folder,
        "last",
        keep_previous=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    path = folder / "last.ckpt"
    options = QUIET | {"enable_checkpointing": True, "accumulate_grad_batches": 2}
    callbacks = [*callbacks, StopCheckpoint(path), last]
    trainer = Trainer(max_epochs=3, callbacks=callbacks, **options)
    model, loader = Model(), DataLoader(range(BATCHES))
    trainer.fit(model, loader, ckpt_path=path if resume else None, weights_only=True)
    return model, trainer


def stopped(folder: Path, batch: int, *signums: int) -> dict:
    """The checkpoint of a run that signals stopped."""
    before = [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGUSR1)]
    with pytest.raises(Stopped) as caught, stop_on_signals():
        run(folder, Signals(batch, *signums))
    assert caught.value.status == 128 + signums[0]
    assert [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGUSR1)] == before
    return torch.load(folder / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_stopped_run_resumes_within_its_epoch_to_the_bit(signum, tmp_path):
    whole, _ = run(tmp_path / "whole")
    checkpoint = stopped(tmp_path / "run", 2, signum)
    # the step of batches 2 and 3 was ended; an epoch has three steps
    assert (checkpoint["epoch"], checkpoint["global_step"]) == (1, 5)
    previous = torch.load(tmp_path / "run" / "previous.ckpt", weights_only=True)
    assert previous["global_step"] == 3

    model, trainer = run(tmp_path / "run", resume=True)
    assert trainer.global_step == 9
    assert torch.equal(model.weight, whole.weight)


def test_a_signal_in_the_last_step_waits_for_the_end_of_the_epoch(tmp_path):
    checkpoint = stopped(tmp_path, 5, signal.SIGTERM)
    assert checkpoint["global_step"] == 6
    _, trainer = run(tmp_path, resume=True)
    assert trainer.global_step == 9 and trainer.current_epoch == 3


def test_a_second_signal_stops_at_once(tmp_path):
    checkpoint = stopped(tmp_path, 2, signal.SIGTERM, signal.SIGTERM)
    assert checkpoint["global_step"] == 3


def test_loading_processes_heed_their_parent_only():
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            heed_parent_only(0)
            while True:
                os.write(to_parent[1], b".")
                os.read(to_child[0], 1)
        finally:
            os._exit(1)
    assert os.read(to_parent[0], 1) == b"."
    for name in ("TERM", "USR1"):
        subprocess.run(["kill", f"-{name}", str(child)], check=True)
        os.write(to_child[1], b".")
        assert os.read(to_parent[0], 1) == b"."  # it lives
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
