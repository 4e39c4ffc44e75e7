"""Wall-clock and CPU seconds of a training."""

import time

from pytorch_lightning import Callback, LightningModule, Trainer


class Cost(Callback):
    """Seconds that fitting took, by the clock and of this process's CPU, over all starts of a run.

    What came after the checkpoint that a start goes on from is lost.
    """

    def __init__(self) -> None:
        self.before = {"fit_seconds": 0.0, "cpu_seconds": 0.0}
        self.began: tuple[float, float] | None = None

    @property
    def spent(self) -> dict[str, float]:
        """Seconds up to now."""
        if self.began is None:
            return dict(self.before)
        now = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        return {
            name: seconds + new
            for (name, seconds), new in zip(self.before.items(), now, strict=True)
        }

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self.began = time.perf_counter(), time.process_time()

    def state_dict(self) -> dict[str, float]:
        return self.spent

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        if self.began is not None:  # Lightning restores callbacks for a test, too
            self.before = dict(state_dict)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.before, self.began = self.spent, None
