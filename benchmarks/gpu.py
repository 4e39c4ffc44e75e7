"""RmLR on a GPU: images/s, launches, waits, busy share and memory; compiled and not.

    python benchmarks/gpu.py                            # about three minutes
    python benchmarks/gpu.py --beside                   # loader and extraction, too: four
    python benchmarks/gpu.py --rows rmlr upt --batch 128 --steps 50
    python benchmarks/gpu.py --compiled rmlr visual --minutes 10
    python benchmarks/gpu.py --device cpu --quick       # as a test

A training step is that of `rmlr-train` from cached Scenes, whose pairs the loader has made: labels,
re-mining, IRE, IRM, losses, backward pass, checks, clipping and AdamW; with DETR R50's sizes and
HICO-DET's vocabulary. The numbers of people and objects (2 to 15 each) differ from batch to batch.

- *launches*: kernels and graphs that the CPU starts per step, *waits*: synchronisations per step
  (`torch.cuda.set_sync_debug_mode`), *busy*: time in kernels over wall time.
- *first s*: of the first round, which includes compilation.
- *use*: the rate of the counted operations over that of a large product of the same precision.
- *counted launches*: kernels per step, counted without a GPU (`benchmarks/launches.py`).
- *epoch s*: 37,633 images, as HICO-DET has, at this rate.

Prints a table on standard error and a line of JSON on standard output. Rows that would start after
`--minutes` are left out. Without a GPU it prints a message and exits with status 0. Phrases are
encoded once by the extra `text`; without it, bring `text/` of RMLR_DATA from another machine.
"""

import json
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from launches import Operations, counted, to_meta
from rich.console import Console
from rich.table import Table
from setting import HEADS, machine, make_task, operations, parser, random_scenes, report, true_pairs
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_map

from rmlr_lightning.ops.candidates import select_and_pair
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Batch, Inputs

PRECISIONS = {"bf16-mixed": torch.bfloat16, "32-true": None}
EPOCH = 37_633
STARTS = ("LaunchKernel", "GraphLaunch")  # parts of the names of the driver's calls


def batches(number: int, size: int, task: HOITask, maps: bool) -> list[Batch]:
    """Batches on the CPU as the loader makes them, with different numbers of people and objects."""
    generator = random.Random(0)
    found = []
    for _ in range(number):
        humans, objects = generator.randint(2, 15), generator.randint(2, 15)
        scene = random_scenes(size, humans, objects)
        truth = true_pairs(scene, humans, task.vocabulary)
        scene, pairs = select_and_pair(scene, task.model.rules)
        scene = scene if maps else scene._replace(maps={})
        found.append(Batch(Inputs(None, scene, pairs=pairs), truth, list(range(size))))
    return found


class Run:
    """A task on a device in one precision."""

    def __init__(self, row: str, precision: str, compiled: bool, device: str) -> None:
        overrides = ["model.compiled=true"] if compiled else []
        self.task = make_task(row, overrides).to(device)
        self.device, self.dtype = device, PRECISIONS[precision]
        self.optimizer = self.task.optim(self.task, 1000)["optimizer"]
        self.weights = [w for group in self.optimizer.param_groups for w in group["params"]]

    def training(self, batch: Batch) -> None:
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not None):
            loss = self.task.training_step(batch, 0)
        loss.backward()
        self.task.watch.end(self.optimizer, self.weights, "the benchmark")
        clip_grads_with_norm_(self.weights, 1.0, self.task.watch.norm)
        self.optimizer.step()

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


def traced(step: Callable[[Batch], object], data: list[Batch], wall: float) -> dict[str, float]:
    """Launches, kernels and waits per step, and the busy share of `wall` seconds."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run_all(step, data)
        torch.cuda.synchronize()
    events = profiler.events()
    kernels = [event for event in events if event.device_type == torch.autograd.DeviceType.CUDA]
    starts = sum(any(part in event.name for part in STARTS) for event in events)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        run_all(step, data)
        torch.cuda.set_sync_debug_mode("default")
    waits = sum("synchroniz" in str(warning.message) for warning in caught)
    busy = sum(event.device_time_total for event in kernels) / 1e6
    per_step = {"launches": starts, "kernels": len(kernels), "waits": waits}
    return {name: count / len(data) for name, count in per_step.items()} | {"busy": busy / wall}


def measured(
    row: str, precision: str, compiled: bool, data: list[Batch], device: str, rate: float
) -> dict:
    """Images per second, and what limits them, of training and inference for one row."""
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
        found[what]["epoch_s"] = EPOCH * wall / images
        if device == "cuda":
            found[what]["peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
            found[what] |= traced(step, data, wall)
        if not compiled:  # compiled code cannot be counted; it does the same operations
            flops = sum(operations(partial(step, batch)) for batch in data)
            found[what]["use"] = flops / wall / rate
    return found


def launches(row: str, batch: Batch) -> dict[str, int]:
    """Kernels of a training step in float32, counted without a GPU, by part of the step.

    Raises:
        NotImplementedError: an operation needs values, for which a GPU would have to be waited for.
    """
    run = Run(row, "32-true", False, "cpu")
    run.task.matches.is_judged = True  # as after the first hundred steps
    run.task.watch.read = lambda: None  # of flags that are on the CPU
    run.training(batch)  # makes the optimiser's state
    step = counted(partial(run.training, batch)).kernels

    def passes(task: HOITask, record: tuple) -> Operations:
        task.zero_grad()
        scene, pairs, truth = record
        return counted(lambda: task.terms(scene, pairs, None, truth)[0].sum().backward())

    # in the forward and backward pass a CPU takes other branches than a GPU
    record = batch.inputs.scene, batch.inputs.pairs, batch.truth
    beside = step - passes(run.task, record).kernels
    both = passes(run.task.to("meta"), to_meta(record))
    if both.copies:
        raise NotImplementedError(f"{both.copies} tensors come from the CPU")
    found = {"forward and backward": both.kernels.total(), "rest": beside.total()}
    return found | {"step": sum(found.values())}


def json_of(script: str, options: Sequence[str]) -> dict | None:
    """What another benchmark prints; its table appears on standard error."""
    path = Path(__file__).with_name(f"{script}.py")
    done = subprocess.run([sys.executable, str(path), *options], stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


BESIDE = {  # half a minute each
    "loader": ("--images", "1024", "--workers", "0", "4", "8", "16"),
    "extraction": ("--images", "128", "--workers", "8", "16"),
}
COLUMNS = {  # heading: key, format
    "images/s": ("images_per_s", "{:.0f}"),
    "epoch s": ("epoch_s", "{:.1f}"),
    "launches": ("launches", "{:.0f}"),
    "waits": ("waits", "{:.0f}"),
    "busy": ("busy", "{:.0%}"),
    "use": ("use", "{:.1%}"),
    "MB": ("peak_mb", "{:.0f}"),
    "first s": ("first_round_s", "{:.1f}"),
}


def show(rows: list[dict], rates: dict[str, float], device: str) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else machine()
    speeds = ", ".join(
        f"{precision} {rate / 1e12:.2f} TFLOP/s" for precision, rate in rates.items()
    )
    table = Table(title=f"{name}; {speeds}")
    for column in ("row", "precision", "compiled", "", *COLUMNS):
        table.add_column(column)
    for row in rows:
        for what in ("training", "inference"):
            cells = [
                form.format(row[what][key]) if key in row[what] else ""
                for key, form in COLUMNS.values()
            ]
            compiled = "yes" if row["compiled"] else "no"
            table.add_row(row["row"], row["precision"], compiled, what, *cells)
    Console(width=132, stderr=True).print(table)


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument(
        "--rows", nargs="+", choices=HEADS, default=["rmlr", "upt", "visual", "pvic"]
    )
    options.add_argument("--compiled", nargs="*", choices=HEADS, default=["rmlr"])
    options.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--steps", type=int, default=20, help="batches")
    options.add_argument("--minutes", type=float, default=2.5, help="no row starts after them")
    options.add_argument("--beside", action="store_true", help="loader.py and extraction.py, too")
    args = options.parse_args()
    start = time.perf_counter()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("no GPU; nothing is measured (--device cpu --quick is a test)", file=sys.stderr)
        report({"device": None}, args.json_out)
        return
    if args.quick:
        args.rows, args.compiled, args.precisions = ["rmlr"], [], ["32-true"]
        args.batch = args.steps = 1
    torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("high")  # as rmlr-train
    size = 8192 if args.device == "cuda" else 512
    rates = {p: peak_rate(p, args.device, size) for p in args.precisions}

    # compiled rows in the first precision alone: compiling takes most of the time
    plan = [(row, p, False) for row in args.rows for p in args.precisions]
    plan[1:1] = [(row, args.precisions[0], True) for row in args.compiled]
    numbers: dict = {"batch": args.batch, "operations_per_s": rates, "rows": []}
    numbers["device"] = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    data_of, data = None, []  # rows of one selection have the same data, which take seconds
    for row, precision, compiled in plan:
        if time.perf_counter() - start > 60 * args.minutes:
            print(f"left out, time is over: {row} {precision}", file=sys.stderr)
            continue
        task, maps = make_task(row), row in ("upt", "pvic")
        if data_of != (task.model.selection, maps):
            data_of, data = (task.model.selection, maps), []
            data = batches(args.steps, args.batch, task, maps)
            data = tree_map(lambda x: x.to(args.device) if isinstance(x, Tensor) else x, data)
        found = measured(row, precision, compiled, data, args.device, rates[precision])
        numbers["rows"].append(found)
    show(numbers["rows"], rates, args.device)
    (batch,) = batches(1, 1, make_task("rmlr"), maps=False)
    numbers["counted_launches"] = {row: launches(row, batch) for row in ("rmlr", "visual")}
    for script, options in BESIDE.items() if args.beside else ():
        numbers[script] = json_of(script, ["--quick"] if args.quick else options)
    report(numbers, args.json_out)


if __name__ == "__main__":
    main()
