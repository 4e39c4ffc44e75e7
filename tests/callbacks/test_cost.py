from types import SimpleNamespace

import pytest

from rmlr_lightning.callbacks import cost as module
from rmlr_lightning.callbacks.cost import Cost


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """Both clocks, set by hand; the CPU works half of the time."""
    clock = SimpleNamespace(now=100.0)
    fake = SimpleNamespace(perf_counter=lambda: clock.now, process_time=lambda: clock.now / 2)
    monkeypatch.setattr(module, "time", fake)
    return clock


def test_a_resumed_run_adds_to_the_seconds_of_its_checkpoint(clock):
    first = Cost()
    first.setup(None, None, "fit")
    clock.now += 10
    checkpoint = first.state_dict()
    clock.now += 5  # lost with the run

    second = Cost()
    second.setup(None, None, "fit")
    second.load_state_dict(checkpoint)
    clock.now += 2
    second.on_fit_end(None, None)
    clock.now += 50  # after training
    assert second.spent == {"fit_seconds": 12.0, "cpu_seconds": 6.0}


def test_restoring_the_best_checkpoint_for_a_test_changes_nothing(clock):
    cost = Cost()
    cost.setup(None, None, "fit")
    clock.now += 10
    checkpoint = cost.state_dict()
    clock.now += 10
    cost.on_fit_end(None, None)
    cost.load_state_dict(checkpoint)
    assert cost.spent["fit_seconds"] == 20.0


def test_the_time_of_the_test_is_no_part_of_the_training(clock):
    cost = Cost()
    cost.setup(None, None, "fit")
    clock.now += 10
    cost.on_fit_end(None, None)
    cost.setup(None, None, "test")
    clock.now += 4
    cost.teardown(None, None, "test")
    assert cost.spent == {"fit_seconds": 10.0, "cpu_seconds": 5.0, "test_seconds": 4.0}
