"""The rule of batch and learning rate."""

from types import SimpleNamespace

import pytest

from rmlr_lightning.runs.training import _scale_rates
from rmlr_lightning.tasks.optim import ScheduledAdamW


@pytest.mark.parametrize(
    ("batch", "devices", "nodes", "accumulated"),
    [(64, 1, 1, 1), (16, 4, 1, 1), (8, 4, 2, 1), (16, 1, 1, 4), (4, 2, 2, 4)],
)
def test_a_step_of_as_many_images_has_the_same_rate(capsys, batch, devices, nodes, accumulated):
    """However it is divided among processes, machines and accumulated batches."""
    task = SimpleNamespace(optim=ScheduledAdamW(lr=1e-3))
    trainer = SimpleNamespace(
        num_devices=devices,
        num_nodes=nodes,
        accumulate_grad_batches=accumulated,
        is_global_zero=True,
    )
    _scale_rates(task, SimpleNamespace(batch_size=batch), trainer)
    assert task.optim.lr == pytest.approx(2e-3)
    assert "rates are those of 16 images times 2\n" in capsys.readouterr().out
