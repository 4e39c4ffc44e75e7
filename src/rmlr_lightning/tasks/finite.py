"""Numbers that are not finite are found in the step that makes them, and never reach a weight.

Each step has flags: is every loss term finite, and the gradient as a whole? They are combined over
all processes. A step with a bad flag is left out on the device itself, so that weights, optimiser
states and averages of weights stay as they were, whether or not anybody has read the flags. On a
CPU they are read at once. On a GPU they are copied without waiting and read at the next step, and
in any case before a checkpoint is written. What was not finite, and in which images, is found by
running a bad step again: good steps pay nothing for it.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.distributed
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from rmlr_lightning.errors import SharedError, UserError
from rmlr_lightning.tasks.step import world_size

POLICIES = ("stop", "skip")
MAX_OVERFLOWS = 100  # steps in a row; float16's loss scale halves at each of them
WAY_OUT = (
    "lower optim.lr or the weight of the term, use trainer.precision=32-true, or leave such steps "
    "out with task.module.not_finite=skip"
)


class Flags(NamedTuple):
    """True is finite. Those of a step are of all processes."""

    terms: Tensor  # (terms,) the values
    whole: Tensor  # () the gradient of all weights


class Findings(NamedTuple):
    """What is not finite in a step of this process."""

    inputs: list[int]  # ids of images whose detector outputs are not
    outputs: list[int]  # likewise, outputs of the trained stages
    steep: list[str]  # terms with such a gradient at the outputs of the trained stages


class Step(NamedTuple):
    """A step whose flags are on their way to the CPU."""

    flags: Flags
    names: list[str]  # of the terms
    image_ids: list[int]
    where: str
    copied: torch.cuda.Event | None
    may_overflow: bool
    explain: Callable[[], Findings] | None


class FiniteSteps:
    """Watches the training steps of a task.

    Args:
        policy: "stop" ends the training at the first bad step; "skip" leaves bad steps out, with a
            note for each.
        max_skipped: bad steps after which "skip" ends the training, too.

    Raises:
        UserError: another policy, or a negative number.
    """

    def __init__(self, policy: str = "stop", max_skipped: int = 10) -> None:
        if policy not in POLICIES:
            raise UserError(f"task.module.not_finite={policy}: choose from {', '.join(POLICIES)}")
        if not isinstance(max_skipped, int) or max_skipped < 0:
            raise UserError(f"task.module.max_skipped={max_skipped}: expected a number from 0")
        self.policy, self.max_skipped = policy, max_skipped
        self.skipped = self.overflows = 0
        self.norm: Tensor | None = None  # of the gradient of the last step
        self._unread: Step | None = None
        self._begin()

    def _begin(self) -> None:
        self._names: list[str] = []
        self._terms: list[Tensor] = []
        self._image_ids: list[int] = []
        self._explain: Callable[[], Findings] | None = None

    def add_terms(self, names: list[str], values: Tensor) -> None:
        """The values of the loss terms, (terms,), of one of the parts of a step."""
        self._names = names
        self._terms.append(values.detach())

    def add_images(self, image_ids: list[int]) -> None:
        """The images of a part."""
        self._image_ids += image_ids

    def explain_by(self, explain: Callable[[], Findings]) -> None:
        """What finds the cause, should this step be bad."""
        self._explain = explain

    def end(
        self,
        optimizer: torch.optim.Optimizer,
        parameters: Iterable[nn.Parameter],
        where: str,
        may_overflow: bool = False,
    ) -> None:
        """Judge a step after its backward pass, before the weights change.

        Args:
            where: epoch and step, for the message.
            may_overflow: float16's loss scaling finds its scale by overflows of the gradient, and
                leaves these steps out itself.

        Raises:
            SharedError: see `read`.
        """
        if not self._terms:
            return
        gradients = [weight.grad for weight in parameters if weight.grad is not None]
        self.norm = get_total_norm(gradients)
        flags = self._flags(self.norm)
        good = (flags[:-1] if may_overflow else flags).all()

        # fused optimisers leave the step out themselves; no process waits for the flag
        on_device = bool(optimizer.defaults.get("fused"))
        if on_device:
            optimizer.found_inf = (~good).float()
        elif not good:
            optimizer.zero_grad(set_to_none=True)

        # On a GPU these are the flags of the step before: they have arrived, because the kernels of
        # this step are queued behind them.
        self.read()
        names, image_ids, explain = self._names, self._image_ids, self._explain
        self._begin()
        waits = good.device.type == "cuda"
        flags = flags.to("cpu", non_blocking=waits)
        copied = None
        if waits:
            copied = torch.cuda.Event()
            copied.record()
        self._unread = Step(
            Flags(flags[:-1], flags[-1]), names, image_ids, where, copied, may_overflow, explain
        )
        if not waits:
            self.read()

    def _flags(self, norm: Tensor) -> Tensor:
        """Flags of the terms, and last that of the gradient; of all processes."""
        # a sum with a number that is not finite is not finite
        terms = self._terms[0] if len(self._terms) == 1 else torch.stack(self._terms).sum(0)
        ours = torch.cat([terms, norm[None].to(terms.device)]).isfinite()
        # A process whose own numbers are good must leave the step out, too.
        if world_size() > 1:
            counts = (~ours).float()
            torch.distributed.all_reduce(counts)
            ours = counts == 0
        return ours

    def read(self) -> None:
        """Read the flags of the last step, if they have not been read.

        Raises:
            SharedError: the step was bad, and the policy ends the training.
        """
        step, self._unread = self._unread, None
        if step is None:
            return
        if step.copied is not None:
            step.copied.synchronize()
        flags = step.flags

        overflows = bool(step.may_overflow and not flags.whole and flags.terms.all())
        self.overflows = self.overflows + 1 if overflows else 0
        if self.overflows >= MAX_OVERFLOWS:
            raise SharedError(
                f"training diverged in {step.where}: the gradient has overflowed float16 in "
                f"{self.overflows} steps in a row; use trainer.precision=bf16-mixed or 32-true"
            )
        if overflows or (flags.terms.all() and flags.whole):
            return

        message = _message(step)
        self.skipped += 1
        if self.policy == "skip" and self.skipped <= self.max_skipped:
            rank_zero_only(print)(f"note: {step.where} left out: {message}")
            return
        if self.policy == "skip":
            message += f"; {self.max_skipped} such steps were left out before"
        else:
            message += f"; {WAY_OUT}"
        raise SharedError(f"training diverged in {step.where}: {message}")


def is_finite(values: Tensor) -> Tensor:
    """Whether all values are finite. A sum is: it has no copy, and infinities stay in it."""
    return values.sum(dtype=torch.promote_types(values.dtype, torch.float32)).isfinite()


def finite_images(*batched: Tensor) -> Tensor:
    """For each image (first axis), whether all of its values are finite."""
    sums = [
        values.flatten(1).sum(1, dtype=torch.promote_types(values.dtype, torch.float32))
        for values in batched
    ]
    return torch.stack([values.isfinite() for values in sums]).all(0)


def check_weights(module: nn.Module, where: str) -> None:
    """Find weights that a step of finite numbers has made infinite.

    Raises:
        SharedError: there are such weights.
    """
    trained = [weight.detach() for weight in module.parameters() if weight.requires_grad]
    if trained and not get_total_norm(trained).isfinite():
        raise SharedError(f"training diverged in {where}: weights are not finite; lower optim.lr")


def _message(step: Step) -> str:
    """What is not finite, and in which images; the same on all processes."""
    flags = step.flags
    # The value of a term decides; a gradient is named only where all values are finite.
    bad = [name for name, good in zip(step.names, flags.terms.tolist(), strict=True) if not good]
    found = Findings([], [], []) if step.explain is None else step.explain()
    inputs, outputs, steep, others = over_processes((*found, list(step.image_ids)))
    if bad:
        what = f"{_terms(bad)} not finite"
    elif steep:
        what = f"the gradient of {_terms([n for n in step.names if n in steep])} not finite"
    else:
        what = "the gradient is not finite, though that of each loss term is"
    if inputs:
        return f"{what}; the detector's outputs are not finite for {_images(inputs)}"
    return f"{what}; {_images(outputs or others)}"


def _terms(names: list[str]) -> str:
    return f"loss term {names[0]} is" if len(names) == 1 else f"loss terms {', '.join(names)} are"


def rows_that_fail(image_ids: list[int], good: Tensor) -> list[int]:
    """Ids of the images whose row is False."""
    return [i for i, is_good in zip(image_ids, good.tolist(), strict=True) if not is_good]


def _images(ids: list[int], shown: int = 8) -> str:
    more = f" and {len(ids) - shown} more" if len(ids) > shown else ""
    return f"image ids {', '.join(map(str, ids[:shown]))}{more}"


def over_processes(lists: tuple[list, ...]) -> tuple[list, ...]:
    """The lists of all processes, one after the other; all processes call it."""
    if world_size() == 1:
        return lists
    gathered: list = [None] * world_size()
    torch.distributed.all_gather_object(gathered, lists)
    return tuple([i for part in parts for i in part] for parts in zip(*gathered, strict=True))
