"""Wall-clock and CPU seconds of a training run, and of its test."""

import time

from pytorch_lightning import Callback, LightningModule, Trainer


class Cost(Callback):
    """Measures `fit_seconds` (wall clock) and `cpu_seconds` (CPU time of this process).

    Checkpoints store both, so that a resumed run adds to them. Work done after the checkpoint that
    a run resumes from is not counted. After a test there is `test_seconds` (wall clock), too.
    """

    def __init__(self) -> None:
        self.earlier = {"fit_seconds": 0.0, "cpu_seconds": 0.0}  # of the runs this one resumes
        self.start: dict[str, float] | None = None  # None outside of `fit`
        self.test_start = 0.0

    @property
    def spent(self) -> dict[str, float]:
        """Seconds until now, by name."""
        if self.start is None:
            return dict(self.earlier)
        now = _clocks()
        return {
            name: seconds + now[name] - self.start[name] for name, seconds in self.earlier.items()
        }

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self.start = _clocks()
        elif stage == "test":
            self.test_start = time.perf_counter()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "test":
            self.earlier["test_seconds"] = time.perf_counter() - self.test_start

    def state_dict(self) -> dict[str, float]:
        return self.spent

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        # Lightning also restores callbacks before a test, which must not set the clocks back.
        if self.start is not None:
            self.earlier = dict(state_dict)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.earlier, self.start = self.spent, None


def _clocks() -> dict[str, float]:
    return {"fit_seconds": time.perf_counter(), "cpu_seconds": time.process_time()}
