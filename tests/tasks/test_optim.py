import math

import pytest
import torch
from torch import nn

from rmlr_lightning.tasks.optim import ScheduledAdamW, constant, cosine, step


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.head, self.frozen = (
            nn.Linear(3, 4),
            nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)),
            nn.Linear(2, 2),
        )
        self.frozen.requires_grad_(False)


def test_every_trainable_parameter_is_in_one_group_with_its_rate_and_decay():
    module = Two()
    optim = ScheduledAdamW(lr=1e-3, weight_decay=0.1, lr_overrides={"backbone.": 1e-5})
    groups = optim.groups(module)
    found = {id(p): group for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(found) == 6
    assert found[id(module.backbone.weight)]["lr"] == 1e-5
    assert found[id(module.head[0].weight)]["lr"] == 1e-3
    assert found[id(module.head[0].weight)]["weight_decay"] == 0.1
    assert (
        found[id(module.head[0].bias)]["weight_decay"]
        == found[id(module.head[1].weight)]["weight_decay"]
        == 0
    )


def test_the_rate_rises_and_follows_its_schedule():
    optim = ScheduledAdamW(schedule=cosine, warmup=0.1)
    assert optim.factor(0, 100) == pytest.approx(0.1 * cosine(0.0))
    assert optim.factor(50, 100) == pytest.approx(0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi / 2)))
    assert optim.factor(100, 100) == pytest.approx(0.01)


def test_schedules_of_the_field():
    assert [step(p) for p in (0.0, 0.49, 0.5, 1.0)] == [1.0, 1.0, 0.1, 0.1]
    assert constant(0.7) == 1.0


def test_lightning_gets_optimizer_and_schedule_by_step():
    made = ScheduledAdamW(lr=2e-4)(Two(), 10)
    assert isinstance(made["optimizer"], torch.optim.AdamW)
    assert made["lr_scheduler"]["interval"] == "step"
