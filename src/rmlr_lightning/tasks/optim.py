"""AdamW with parameter groups, and what the learning rate does over a run."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from rmlr_lightning.errors import UserError


def constant(progress: float) -> float:
    """The learning rate stays."""
    return 1.0


def step(progress: float, at: float = 0.5, factor: float = 0.1) -> float:
    """One drop by `factor` at a share of the run (UPT: 20 epochs, drop after 10)."""
    return factor if progress >= at else 1.0


def cosine(progress: float, floor: float = 0.01) -> float:
    """Half a cosine from 1 to `floor`."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


class AdamWRecipe:
    """Makes optimiser and schedule for a LightningModule.

    Args:
        lr: learning rate of everything not named in `lr_of`.
        weight_decay: for matrices; vectors (biases, norms) have none.
        lr_of: parts of parameter names and the learning rate of their group, such as {"remine.": 1e-5}.
        schedule: progress in [0, 1] -> factor; here `constant`, `step`, `cosine`.
        warmup: share of the run over which the rate rises linearly from 0.
    """

    def __init__(
        self,
        lr: float = 1e-4,
        weight_decay: float = 1e-4,
        lr_of: Mapping[str, float] | None = None,
        schedule: Callable[[float], float] = constant,
        warmup: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        for name, value in {
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            **dict(lr_of or {}),
        }.items():
            if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise UserError(f"optim.{name}={value}: expected a number from 0")
        self.lr, self.weight_decay, self.warmup, self.schedule = lr, weight_decay, warmup, schedule
        self.betas = tuple(betas)
        self.lr_of = dict(lr_of or {})

    def groups(self, module: nn.Module) -> list[dict]:
        """Trainable parameters by learning rate and weight decay; empty groups are left out."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                lr = next((rate for part, rate in self.lr_of.items() if part in name), self.lr)
                decay = self.weight_decay if parameter.ndim > 1 else 0.0
                groups.setdefault((lr, decay), []).append(parameter)
        return [
            {"params": group, "lr": lr, "weight_decay": decay}
            for (lr, decay), group in groups.items()
        ]

    def factor(self, done: int, total: int) -> float:
        """What the learning rates are multiplied by after `done` of `total` steps."""
        warm = max(1, round(self.warmup * total))
        return min(1.0, (done + 1) / warm) * self.schedule(done / max(1, total))

    def __call__(self, module: nn.Module, total_steps: int) -> dict:
        """What `LightningModule.configure_optimizers` returns."""
        optimizer = torch.optim.AdamW(self.groups(module), lr=self.lr, betas=self.betas, fused=True)
        # Lightning refuses to clip gradients of an optimiser that unscales them itself; without this it does both
        optimizer._step_supports_amp_scaling = False
        scheduler = LambdaLR(optimizer, lambda done: self.factor(done, total_steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }
