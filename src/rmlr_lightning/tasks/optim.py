"""AdamW with parameter groups, and the learning-rate schedule of a run."""

import math
from collections.abc import Callable, Mapping

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

    Raises:
        UserError: a negative, infinite or missing number.
    """

    def __init__(
        self,
        lr: float = 1e-4,
        weight_decay: float = 1e-4,
        lr_overrides: Mapping[str, float] | None = None,
        schedule: Callable[[float], float] = constant,
        warmup: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_overrides = dict(lr_overrides or {})
        self.schedule = schedule
        self.warmup = warmup
        self.betas = tuple(betas)

        _check("lr", lr)
        _check("weight_decay", weight_decay)
        _check("warmup", warmup)
        for part, rate in self.lr_overrides.items():
            _check(f"lr_overrides.{part}", rate)

    def groups(self, module: nn.Module) -> list[dict]:
        """Trainable parameters, grouped by learning rate and weight decay."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            rates = (rate for part, rate in self.lr_overrides.items() if part in name)
            lr = next(rates, self.lr)
            decay = self.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((lr, decay), []).append(parameter)
        return [
            {"params": group, "lr": lr, "weight_decay": decay}
            for (lr, decay), group in groups.items()
        ]

    def factor(self, done: int, total: int) -> float:
        """The factor of all learning rates after `done` of `total` steps."""
        warmup_steps = max(1, round(self.warmup * total))
        return min(1.0, (done + 1) / warmup_steps) * self.schedule(done / max(1, total))

    def __call__(self, module: nn.Module, total_steps: int) -> dict:
        """The result of `LightningModule.configure_optimizers`."""
        optimizer = torch.optim.AdamW(self.groups(module), lr=self.lr, betas=self.betas, fused=True)
        # The fused step can unscale gradients itself, and Lightning refuses to clip the gradients
        # of such an optimiser. Without this attribute Lightning unscales and clips them.
        optimizer._step_supports_amp_scaling = False
        scheduler = LambdaLR(optimizer, lambda done: self.factor(done, total_steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def _check(name: str, value: float) -> None:
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise UserError(f"optim.{name}={value}: expected a number from 0")
