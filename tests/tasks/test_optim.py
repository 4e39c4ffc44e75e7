import math
from copy import deepcopy

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


def test_rates_grow_with_the_square_root_of_the_images_of_a_step():
    optim = ScheduledAdamW(lr=1e-3, lr_overrides={"backbone.": 1e-5})
    assert optim.scale(64) == 2
    rates = sorted({group["lr"] for group in optim.groups(Two())})
    assert rates == pytest.approx([2e-5, 2e-3])
    assert optim.scale(64) == 1  # the rates are those of 64 images now


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


def stepped(options: dict, total: int, state: dict | None = None, steps: int = 3):
    """A model after some steps with constant gradients; resumes from a state."""
    torch.manual_seed(0)
    module = Two()
    made = ScheduledAdamW(**options)(module, total)
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    if state is not None:
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
    for _ in range(steps):
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        scheduler.step()
    parts = {"module": module, "optimizer": optimizer, "scheduler": scheduler}
    return optimizer, {name: deepcopy(part.state_dict()) for name, part in parts.items()}


OPTIONS = {"lr": 1e-2, "weight_decay": 0.1, "schedule": cosine, "warmup": 0.2}


@pytest.mark.fault
def test_a_resumed_optimiser_continues_to_the_bit():
    _, whole = stepped(OPTIONS, 10, steps=6)
    _, first = stepped(OPTIONS, 10)
    _, second = stepped(OPTIONS, 10, first)
    for name, weight in whole["module"].items():
        assert torch.equal(second["module"][name], weight)
    assert second["scheduler"] == whole["scheduler"]


@pytest.mark.fault
@pytest.mark.parametrize(
    ("change", "total"),
    [
        ({"lr": 1e-5}, 10),
        ({"weight_decay": 0.0}, 10),
        ({"betas": (0.5, 0.9)}, 10),
        ({"schedule": constant, "warmup": 0.0}, 10),
        ({}, 20),
    ],
)
def test_changed_options_are_applied_when_a_run_resumes(change, total):
    """As in a run that has them from the start, at the same step."""
    options = OPTIONS | change
    _, first = stepped(OPTIONS, 10)
    resumed, _ = stepped(options, total, first)
    fresh, _ = stepped(options, total, steps=6)
    for ours, expected in zip(resumed.param_groups, fresh.param_groups, strict=True):
        for key in ("lr", "initial_lr", "weight_decay", "betas"):
            assert ours[key] == expected[key]
    # the moments are those of the checkpoint: six steps, not three
    assert {float(state["step"]) for state in resumed.state.values()} == {6.0}


@pytest.mark.fault
def test_groups_do_not_depend_on_the_rates():
    same_rate = ScheduledAdamW(lr=1e-3, weight_decay=0.0, lr_overrides={"backbone.": 1e-3})
    other_rate = ScheduledAdamW(lr=1e-3, weight_decay=0.1, lr_overrides={"backbone.": 1e-5})
    sizes = [[len(group["params"]) for group in o.groups(Two())] for o in (same_rate, other_rate)]
    assert sizes[0] == sizes[1]
