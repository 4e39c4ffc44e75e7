"""AdamW with parameter groups, and the learning-rate schedule of a run."""

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from rmlr_lightning.errors import UserError


def constant(progress: float) -> float:
    """A constant learning rate."""
    return 1.0


def step(progress: float, at: float = 0.5, factor: float = 0.1) -> float:
    """One drop by `factor` when a share `at` of the run is done (UPT: after 10 of 20 epochs)."""
    return factor if progress >= at else 1.0


def cosine(progress: float, floor: float = 0.01) -> float:
    """Half a cosine from 1 to `floor`."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


class ScheduledAdamW:
    """Makes the optimiser and the schedule of a LightningModule.

    Args:
        lr: learning rate of all parameters that `lr_overrides` does not name.
        weight_decay: of matrices; vectors (biases, norms) have none.
        lr_overrides: learning rates by part of a parameter's name, such as {"remine.": 1e-5}. The
            first part that a name contains decides.
        schedule: progress in [0, 1] -> factor; `constant`, `step` or `cosine` of this file.
        warmup: share of the run over which the learning rate rises linearly from 0.
        images: images per optimiser step that the rates are for (`scale`).

    Raises:
        UserError: a negative, infinite or missing number, a warm-up above 1, another schedule.
    """

    def __init__(
        self,
        lr: float = 1e-4,
        weight_decay: float = 1e-4,
        lr_overrides: Mapping[str, float] | None = None,
        schedule: Callable[[float], float] = constant,
        warmup: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        images: int = 16,
    ) -> None:
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_overrides = dict(lr_overrides or {})
        self.schedule = schedule
        self.warmup = warmup
        self.betas = tuple(betas)
        self.images = images

        _check("lr", lr)
        _check("weight_decay", weight_decay)
        _check("warmup", warmup, highest=1)
        for part, rate in self.lr_overrides.items():
            _check(f"lr_overrides.{part}", rate)
        if not callable(schedule):
            raise UserError(
                f"optim.schedule={schedule}: expected a function, such as "
                "optim.schedule._target_=rmlr_lightning.tasks.optim.constant"
            )
        if not isinstance(images, int) or images < 1:
            raise UserError(f"optim.images={images}: expected a whole number from 1")

    def scale(self, images: int) -> float:
        """Change all learning rates to those of steps of so many images; returns the factor.

        The noise of a gradient falls with the square root of its images, and the rates of Adam may
        grow with it (Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient
        Algorithms").
        """
        factor = math.sqrt(images / self.images)
        self.lr *= factor
        self.lr_overrides = {part: rate * factor for part, rate in self.lr_overrides.items()}
        self.images = images
        return factor

    def groups(self, module: nn.Module) -> list[dict]:
        """Trainable parameters, grouped by part of `lr_overrides` and by whether they decay.

        The groups do not depend on rates: a run may resume with other ones.
        """
        groups: dict[tuple[str | None, bool], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            part = next((part for part in self.lr_overrides if part in name), None)
            groups.setdefault((part, parameter.ndim > 1), []).append(parameter)
        return [
            {
                "params": group,
                "lr": self.lr_overrides.get(part, self.lr),
                "weight_decay": self.weight_decay if decays else 0.0,
            }
            for (part, decays), group in groups.items()
        ]

    def factor(self, done: int, total: int) -> float:
        """The factor of all learning rates after `done` of `total` steps."""
        warmup_steps = max(1, round(self.warmup * total))
        return min(1.0, (done + 1) / warmup_steps) * self.schedule(done / max(1, total))

    def __call__(self, module: nn.Module, total_steps: int) -> dict:
        """The result of `LightningModule.configure_optimizers`."""
        optimizer = AdamW(self.groups(module), lr=self.lr, betas=self.betas, fused=True)
        # The fused step can unscale gradients itself, and Lightning refuses to clip the gradients
        # of such an optimiser. Without this attribute Lightning unscales and clips them.
        optimizer._step_supports_amp_scaling = False
        scheduler = _Schedule(optimizer, lambda done: self.factor(done, total_steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


class AdamW(torch.optim.AdamW):
    """AdamW that resumes with moments of the checkpoint and options of this run.

    torch's class takes the options (rates, weight decay, betas) from the checkpoint, too.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See torch."""
        options = [
            {name: value for name, value in group.items() if name != "params"}
            for group in self.param_groups
        ]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, options, strict=True):
            group.update(own)


class _Schedule(LambdaLR):
    """A schedule that resumes at the step of the checkpoint with the rates of this run."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See torch."""
        rates = self.base_lrs
        super().load_state_dict(state_dict)
        self.base_lrs = rates
        factors = [factor(self.last_epoch) for factor in self.lr_lambdas]
        self._last_lr = [rate * factor for rate, factor in zip(rates, factors, strict=True)]
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate


def _check(name: str, value: float, highest: float | None = None) -> None:
    limit = sys.float_info.max if highest is None else highest
    if not isinstance(value, (int, float)) or not 0 <= value <= limit:
        to = "" if highest is None else f" to {highest}"
        raise UserError(f"optim.{name}={value}: expected a number from 0{to}")
