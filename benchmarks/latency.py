"""CPU time of the exported head: eager, compiled, torch.export and onnxruntime.

    python benchmarks/latency.py                    # about 4 minutes of one thread
    python benchmarks/latency.py --compile              # torch.compile, too; slow to start
    python benchmarks/latency.py --quick

RmLR's re-mining, IRE, IRM and scores on Scenes of DETR R50's sizes on HICO-DET (tokens 256, memory
25 x 34 x 256, 117 verbs), with 8 people and 10 objects per image, 136 pairs. The head is padded to
its capacity: to the pairs that are there, and to all that selection can give (435). `model` is the
HOIModel without padding. Rows alternate; CPU time of the process, ms per image, best (median).
Prints a table on standard error and a line of JSON on standard output.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import onnxruntime
import torch
from rich.console import Console
from rich.table import Table
from setting import (
    HUMANS,
    IMAGE_SIZE,
    OBJECTS,
    best,
    cpu_seconds,
    machine,
    make_task,
    parser,
    random_scenes,
    report,
)
from torch import Tensor

from rmlr_lightning.export.head import Capacity, ExportableHead, full_capacity, head_inputs
from rmlr_lightning.export.program import export_head, write_onnx
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.types import Pairs, Scene

MAX_DIFFERENCE = 1e-4  # of logits, from the eager head


def runtimes(
    model: HOIModel, capacity: Capacity, inputs: dict[str, Tensor], compiled: bool
) -> dict[str, Callable[[], Tensor]]:
    """For each row a function that gives the logits; all are checked against the eager head."""
    head = ExportableHead(model)
    program, _ = export_head(model, capacity, IMAGE_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "head.onnx")
        write_onnx(program, inputs, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(path, options)
    arrays = {name: value.numpy() for name, value in inputs.items()}

    rows = {
        "eager": lambda: head(*inputs.values())[0],
        "torch.export": lambda: exported(*inputs.values())[0],
        "onnxruntime": lambda: torch.from_numpy(session.run(["logits"], arrays)[0]),
    }
    exported = program.module()
    if compiled:
        fast = torch.compile(head, dynamic=False)
        rows["compiled"] = lambda: fast(*inputs.values())[0]
    expected = rows["eager"]()
    for name, run in rows.items():
        difference = float((run() - expected).abs().max())
        assert difference < MAX_DIFFERENCE, (name, difference)
    return rows


def plain(model: HOIModel, scene: Scene, pairs: Pairs) -> Tensor:
    """The model as rmlr-predict runs it, after selection and pairing."""
    logits = model.reason(scene, pairs, model.remine(scene, None))[2]
    verb_scores(logits, log_prior(scene.entities, pairs, model.valid_pairs, model.power))
    return logits


def measure(
    model: HOIModel, batch: int, full: bool, repetitions: int, compiled: bool
) -> dict[str, dict[str, float]]:
    """Seconds per image of every row."""
    scene = random_scenes(batch, HUMANS, OBJECTS)
    pairs = pair(scene.entities, model.valid_pairs)
    needed = Capacity(HUMANS + OBJECTS, pairs.mask.shape[1])
    capacity = full_capacity(model) if full else needed
    inputs = head_inputs(model, scene, pairs, capacity)

    rows = {"model": partial(plain, model, scene, pairs)}
    rows |= runtimes(model, capacity, inputs, compiled)
    times: dict[str, list[float]] = {row: [] for row in rows}
    for _ in range(repetitions):
        for row, run in rows.items():
            times[row].append(cpu_seconds(run) / batch)
    return {row: best(seconds) for row, seconds in times.items()} | {"capacity": capacity.pairs}


def show(cells: dict) -> None:
    """The table."""
    console = Console(width=132, stderr=True)
    table = Table(title=f"CPU ms per image, best (median); {machine()}")
    rows = [row for row in next(iter(cells.values())) if row != "capacity"]
    for heading in ("batch", "capacity (pairs)", *rows):
        table.add_column(heading, justify="right")
    for name, cell in cells.items():
        values = [
            f"{1e3 * cell[row]['best']:.1f} ({1e3 * cell[row]['median']:.1f})" for row in rows
        ]
        table.add_row(name.split(" ")[0], str(cell["capacity"]), *values)
    console.print(table)


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    options.add_argument("--repetitions", type=int, default=15)
    options.add_argument("--compile", action="store_true", help="torch.compile, too")
    args = options.parse_args()
    if args.quick:
        args.batches, args.repetitions = [1], 1
    torch.set_num_threads(args.threads)

    model = make_task("rmlr").model.eval()
    cells = {}
    start = time.monotonic()
    with torch.no_grad():
        for full in [False] if args.quick else [False, True]:
            for batch in args.batches:
                name = f"{batch} {'full' if full else 'needed'}"
                print(f"{name}, after {time.monotonic() - start:.0f} s", file=sys.stderr)
                cells[name] = measure(model, batch, full, args.repetitions, args.compile)
    show(cells)
    report({"machine": machine(), "seconds_per_image": cells}, args.json_out)


if __name__ == "__main__":
    main()
