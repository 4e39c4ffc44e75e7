"""RmLR on a GPU: images/s, memory and utilisation; bf16-mixed and float32, compiled and not.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --rows rmlr upt --batch 128 --steps 50
    python benchmarks/gpu.py --device cpu --quick       # as a test

From cached Scenes on: selection, pairing, re-mining, IRE, IRM, losses, backward, clipping and
AdamW, with DETR R50's sizes and HICO-DET's vocabulary. The numbers of people and objects (2 to 15
each) differ from batch to batch, as in real data; compiled rows use `model.bucket=16`, so that
there are few sizes. The first round includes compilation and is reported separately. `use` is the
rate of the counted operations over that of a large product of the same precision.

Prints a table on standard error and a line of JSON on standard output. Without a GPU it prints a
message and exits with status 0.
"""

import random
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from setting import (
    HEADS,
    machine,
    make_task,
    operations,
    parser,
    random_scenes,
    report,
    true_pairs,
)
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.utils._pytree import tree_map

from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Batch, Inputs

PRECISIONS = {"bf16-mixed": torch.bfloat16, "32-true": None}
COMPILED = ["model.compiled=true", "model.bucket=16"]


def batches(number: int, size: int, device: str, task: HOITask) -> list[Batch]:
    """Batches of Scenes with different numbers of people and objects."""
    generator = random.Random(0)
    found = []
    for _ in range(number):
        humans, objects = generator.randint(2, 15), generator.randint(2, 15)
        scene = random_scenes(size, humans, objects)
        truth = true_pairs(scene, humans, task.vocabulary)
        batch = Batch(Inputs(None, scene), truth, list(range(size)))
        found.append(
            tree_map(lambda part: part.to(device) if isinstance(part, Tensor) else part, batch)
        )
    return found


class Run:
    """A task on a device in one precision."""

    def __init__(self, row: str, precision: str, compiled: bool, device: str) -> None:
        self.task = make_task(row, COMPILED if compiled else []).to(device)
        self.device, self.dtype = device, PRECISIONS[precision]
        self.optimizer = self.task.optim(self.task, 1000)["optimizer"]

    def loss(self, batch: Batch) -> Tensor:
        task = self.task
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not None):
            prediction = task.model(batch.inputs)
            labels = task.label(prediction, batch.truth)
            return torch.stack([loss(prediction, labels) for loss in task.losses.values()]).sum()

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
            model = self.task.model
            prediction = model(batch.inputs)
            entities, pairs = prediction.scene.entities, prediction.pairs
            prior = log_prior(entities, pairs, model.valid_pairs, model.power)
            verb_scores(prediction.logits, prior)


def seconds(run: Callable[[], object], device: str) -> float:
    """Wall seconds until the device has finished."""
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


def run_all(step: Callable[[Batch], object], data: list[Batch]) -> None:
    """All batches, one after the other."""
    for batch in data:
        step(batch)


def measured(
    row: str, precision: str, compiled: bool, data: list[Batch], device: str, rate: float
) -> dict:
    """Images per second, seconds of the first round, memory, and utilisation, for one row."""
    run = Run(row, precision, compiled, device)
    images = sum(len(batch.image_ids) for batch in data)
    found: dict = {"row": row, "precision": precision, "compiled": compiled}
    for what in ("training", "inference"):
        run.task.train(what == "training")
        step = getattr(run, what)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        first = seconds(partial(run_all, step, data), device)
        wall = min(seconds(partial(run_all, step, data), device) for _ in range(3))
        found[what] = {"images_per_s": images / wall, "first_round_s": first}
        if device == "cuda":
            found[what]["peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
        if not compiled:  # compiled code cannot be counted; it does the same operations
            counted = sum(operations(partial(step, batch)) for batch in data)
            found[what]["use"] = counted / wall / rate
    return found


def show(rows: list[dict], rates: dict[str, float], device: str) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else machine()
    speeds = ", ".join(
        f"{precision} {rate / 1e12:.2f} TFLOP/s" for precision, rate in rates.items()
    )
    table = Table(title=f"images/s; {name}; {speeds}")
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
        "--rows", nargs="+", choices=HEADS, default=["upt", "pvic", "rmlr", "visual", "large"]
    )
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--steps", type=int, default=20, help="batches")
    args = options.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print(
            "no GPU; nothing is measured (--device cpu --quick is a test)",
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
    data = batches(args.steps, args.batch, args.device, make_task("visual"))
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
