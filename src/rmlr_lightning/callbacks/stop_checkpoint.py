"""A checkpoint before a run is stopped from outside, as SLURM does with a job that it preempts."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from rmlr_lightning.callbacks.movable_checkpoint import keep_previous

NAMES = ("SIGTERM", "SIGUSR1", "SIGHUP")  # Windows has only the first
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
EVERY = 10  # steps after which several processes ask each other


class StopCheckpoint(Callback):
    """At SIGTERM, SIGUSR1 or SIGHUP training ends its step, writes a checkpoint, and stops.

    A signal during validation waits for its end, after which the epoch's own checkpoint is written.
    A second signal stops at once. What stopping means is decided by who handled the signals before.
    Of several processes one may have got the signal: all of them stop after the same step.

    Args:
        path: of the checkpoint. The one that it replaces is kept (`movable_checkpoint`).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.signum = 0  # that has come, if any
        self._owner = os.getpid()
        self._handlers: dict[int, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Lightning's own handlers, which it sets later, make processes wait for each other.
        if threading.current_thread() is threading.main_thread():
            found = {signum: signal.getsignal(signum) for signum in SIGNALS}
            self._handlers = {s: h for s, h in found.items() if h is not signal.SIG_IGN}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for signum in self._handlers:
            signal.signal(signum, self._remember)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._restore()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._is_asked(trainer):
            self._stop()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # gradients of half a step are in no checkpoint
        # a run that resumes from an epoch's last batch would miss the end of that epoch
        if trainer.is_last_batch or batch_idx + 1 >= trainer.num_training_batches:
            return
        if trainer.world_size > 1 and trainer.global_step % EVERY:
            return
        if self._is_asked(trainer):
            self._save(trainer)
            self._stop()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._is_asked(trainer):
            self._stop()

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.signum or os.getpid() != self._owner:  # a loading process inherits the handler
            self._restore()
            signal.raise_signal(signum)
        self.signum = signum

    def _restore(self) -> None:
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)

    def _is_asked(self, trainer: Trainer) -> bool:
        """Whether any process has got a signal; all of them ask at once."""
        if trainer.world_size > 1:
            signum = torch.tensor(self.signum, device=trainer.strategy.root_device)
            torch.distributed.all_reduce(signum, torch.distributed.ReduceOp.MAX)
            self.signum = int(signum)
        return self.signum != 0

    def _save(self, trainer: Trainer) -> None:
        if trainer.is_global_zero and self.path.is_file():
            keep_previous(self.path)
        trainer.save_checkpoint(self.path, weights_only=False)

    def _stop(self) -> None:
        signum, self.signum = self.signum, 0
        self._restore()
        signal.raise_signal(signum)


def heed_parent_only(worker: int) -> None:
    """For a loading process: these signals count only if its parent sends them.

    SLURM, `timeout` and a terminal that is closed signal all processes of a run, whose first one
    then writes a checkpoint: it needs its loading processes until then, and ends them itself.
    """
    if not hasattr(signal, "sigwaitinfo"):  # not on macOS
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def wait() -> None:
        while signal.sigwaitinfo(SIGNALS).si_pid != os.getppid():
            pass
        os._exit(0)

    threading.Thread(target=wait, name="signals", daemon=True).start()
