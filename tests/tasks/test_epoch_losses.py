"""The logged losses of an epoch are means over its images, however it is divided or stopped."""

import pytest
import torch

from rmlr_lightning.tasks.epoch_losses import EpochLosses
from tests.tasks.tiny_task import fitted, random_batch, tiny_task

pytestmark = [
    # Lightning's advice
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*Found .* in eval mode"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
]
BATCHES = [random_batch(images, seed=images) for images in (3, 1, 2)]


def logged(batches, **options) -> dict[str, float]:
    """Losses of an epoch in which no weight changes."""
    trainer = fitted(tiny_task(lr=0.0), batches, **options)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def test_an_epoch_has_the_mean_over_its_images():
    alone = [logged([batch]) for batch in BATCHES]
    whole = logged(BATCHES)
    assert len(whole) == 7 and whole.keys() == alone[0].keys()
    for name, value in whole.items():
        expected = sum(n * found[name] for n, found in zip((3, 1, 2), alone, strict=True)) / 6
        assert value == pytest.approx(expected, rel=1e-5)


def test_a_training_that_ends_within_an_epoch_logs_the_steps_so_far():
    assert logged(BATCHES, max_steps=2) == logged(BATCHES[:2])


@pytest.mark.fault
def test_a_resumed_epoch_has_the_mean_over_all_of_its_images():
    first, resumed, whole = EpochLosses(), EpochLosses(), EpochLosses()
    values = torch.rand(4, 5)
    for step, row in enumerate(values):
        whole.add(row, step + 1)
        if step == 2:
            resumed.load_state_dict(first.state_dict(), torch.device("cpu"))
        (first if step < 2 else resumed).add(row, step + 1)
    means, images = resumed.take()
    torch.testing.assert_close(means, whole.take()[0])
    assert images == 10
    assert resumed.take() is None and resumed.state_dict() == {}
