"""What a GPU makes of RmLR: images/s, memory and use, bf16-mixed and float32, compiled and not.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --rows rmlr upt --batch 128 --steps 50
    python benchmarks/gpu.py --device cpu --quick       # to see that it runs

From Scenes that are there (a cache) on: selection, pairing, re-mining, IRE, IRM, losses, backward, clipping, AdamW, at
DETR R50's sizes and HICO-DET's vocabulary. Each batch has another number of people and things (2 to 15 each), as data
has; so compiled rows run with `model.bucket=16`, which leaves few sizes. What compiling takes comes in the first round,
which is timed apart. `use` is counted operations a second over those of a large product of the same precision.

Prints a table on standard error and a line of JSON on standard output. Without a GPU it says so and ends well.
"""

import random
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from setting import HEADS, head, machine, operations, parser, report, scenes, truth
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.utils._pytree import tree_map

from rmlr_lightning.ops.matching import match_pairs
from rmlr_lightning.ops.prior import verb_scores
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Batch, Inputs

PRECISIONS = {"bf16-mixed": torch.bfloat16, "32-true": None}
COMPILED = ["model.compiled=true", "model.bucket=16"]


def batches(number: int, size: int, device: str, task: HOITask) -> list[Batch]:
    """Batches of Scenes whose numbers of people and things differ."""
    lots = random.Random(0)
    found = []
    for _ in range(number):
        people, things = lots.randint(2, 15), lots.randint(2, 15)
        scene = scenes(size, people, things)
        batch = Batch(Inputs(None, scene), truth(scene, people, task.vocabulary))
        found.append(
            tree_map(lambda part: part.to(device) if isinstance(part, Tensor) else part, batch)
        )
    return found


class Run:
    """A task on a device in one precision."""

    def __init__(self, row: str, precision: str, compiled: bool, device: str) -> None:
        self.task = head(row, COMPILED if compiled else []).to(device)
        self.device, self.dtype = device, PRECISIONS[precision]
        self.optimizer = self.task.optim(self.task, 1000)["optimizer"]

    def loss(self, batch: Batch) -> Tensor:
        task = self.task
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not None):
            prediction = task.model(batch.inputs)
            verbs = len(task.vocabulary.verbs)
            labels = match_pairs(prediction.scene.entities, prediction.pairs, batch.targets, verbs)
            prior = task.model.prior(prediction)
            return torch.stack(
                [loss(prediction, labels, prior) for loss in task.losses.values()]
            ).sum()

    def training(self, batch: Batch) -> None:
        self.loss(batch).backward()
        clip_grad_norm_(self.task.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def inference(self, batch: Batch) -> None:
        with (
            torch.inference_mode(),
            torch.autocast(self.device, self.dtype, enabled=self.dtype is not None),
        ):
            prediction = self.task.model(batch.inputs)
            verb_scores(prediction.logits, self.task.model.prior(prediction))


def seconds(run: Callable[[], object], device: str) -> float:
    """Wall seconds until the device has done it."""
    _wait(device)
    start = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def peak_rate(precision: str, device: str, size: int) -> float:
    """Operations a second of a large product."""
    dtype = PRECISIONS[precision] or torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / min(seconds(lambda: a @ b, device) for _ in range(5))


def once(step: Callable[[Batch], object], data: list[Batch]) -> None:
    """All batches, one after the other."""
    for batch in data:
        step(batch)


def measured(
    row: str, precision: str, compiled: bool, data: list[Batch], device: str, rate: float
) -> dict:
    """Images a second over all batches, seconds of the first round, memory, and the share of the device's rate."""
    run = Run(row, precision, compiled, device)
    images = sum(len(batch.targets) for batch in data)
    found: dict = {"row": row, "precision": precision, "compiled": compiled}
    for what in ("training", "inference"):
        run.task.train(what == "training")
        step = getattr(run, what)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        first = seconds(partial(once, step, data), device)
        wall = min(seconds(partial(once, step, data), device) for _ in range(3))
        found[what] = {"images_per_s": images / wall, "first_round_s": first}
        if device == "cuda":
            found[what]["peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
        if not compiled:  # what is compiled cannot be counted, and is the same
            counted = sum(operations(partial(step, batch)) for batch in data)
            found[what]["use"] = counted / wall / rate
    return found


def show(rows: list[dict], rates: dict[str, float], device: str) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else machine()
    said = ", ".join(f"{precision} {rate / 1e12:.2f} TFLOP/s" for precision, rate in rates.items())
    table = Table(title=f"images/s; {name}; {said}")
    for column in (
        "row",
        "precision",
        "compiled",
        "training",
        "use",
        "MB",
        "first s",
        "inference",
        "use",
        "MB",
        "first s",
    ):
        table.add_column(
            column, justify="left" if column in ("row", "precision", "compiled") else "right"
        )
    for row in rows:
        cells = []
        for what in ("training", "inference"):
            one = row[what]
            use = f"{100 * one['use']:.1f} %" if "use" in one else ""
            peak = f"{one['peak_mb']:.0f}" if "peak_mb" in one else ""
            cells += [f"{one['images_per_s']:.1f}", use, peak, f"{one['first_round_s']:.1f}"]
        table.add_row(row["row"], row["precision"], "yes" if row["compiled"] else "no", *cells)
    Console(width=132, stderr=True).print(table)


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument(
        "--rows", nargs="+", choices=HEADS, default=["upt", "rmlr", "visual", "large"]
    )
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--steps", type=int, default=20, help="batches")
    args = options.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print(
            "no GPU here; nothing to measure (--device cpu --quick shows that it runs)",
            file=sys.stderr,
        )
        report({"device": None}, args.json_out)
        return
    precisions, compiled = list(PRECISIONS), [False, True]
    if args.quick:
        args.rows, args.batch, args.steps, precisions, compiled = (
            ["visual"],
            1,
            1,
            ["32-true"],
            [False],
        )
    torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("high")  # as rmlr-train
    rates = {
        p: peak_rate(p, args.device, 8192 if args.device == "cuda" else 512) for p in precisions
    }
    data = batches(args.steps, args.batch, args.device, head("visual"))
    rows = [
        measured(row, precision, with_compiler, data, args.device, rates[precision])
        for row in args.rows
        for precision in precisions
        for with_compiler in compiled
    ]
    show(rows, rates, args.device)
    name = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    report(
        {"device": name, "batch": args.batch, "operations_per_s": rates, "rows": rows},
        args.json_out,
    )


if __name__ == "__main__":
    main()
