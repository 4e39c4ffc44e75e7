"""Memory of the head, and size of a cached image on disk.

    python benchmarks/memory.py                         # about 6 minutes, up to 10 GB
    python benchmarks/memory.py --sizes 8x10 --batches 16 --rows rmlr
    python benchmarks/memory.py --quick

Each value comes from a process of its own that makes the head (benchmarks/head.py), reads its own
memory, and runs two training steps or two forward passes:

    peak      of the whole process, torch and weights included (ru_maxrss)
    beyond    the peak minus the memory in use before the first step
    kept      in training, bytes of the tensors that autograd keeps for the backward pass

Prints tables on standard error and a line of JSON on standard output.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from setting import (
    HEADS,
    MEMORY_SIZE,
    WIDTH,
    Head,
    machine,
    make_task,
    parser,
    random_scenes,
    report,
    true_pairs,
)
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.pack import pack
from rmlr_lightning.cache.shard import encode
from rmlr_lightning.types import Entities, Scene
from rmlr_lightning.vocabulary import COCO_OBJECTS

MB = 2**20
ROWS = ("upt", "pvic", "rmlr", "large")
DETECTORS = {  # queries, width, memory cells
    "synthetic benchmark": (30, 128, (20, 28)),
    "DETR R50, 800 x 1066": (100, WIDTH, MEMORY_SIZE),
}
STORED = {
    "fp32": CacheOptions(dtype="fp32"),
    "fp16 (default)": CacheOptions(),
    "fp16, memory=[3,4]": CacheOptions(memory=(3, 4)),
    "fp16, memory=[3,4] entities=28": CacheOptions(memory=(3, 4), entities=28),
    "fp16, memory=none": CacheOptions(memory="none"),
}


def measure(row: str, size: str, batch: int, training: bool, threads: int) -> dict[str, float]:
    """Runs in a process of its own."""
    torch.set_num_threads(threads)
    humans, objects = (int(side) for side in size.split("x"))
    head = Head(row, make_task(row))
    head.task.train(training)
    scene = random_scenes(batch, humans, objects)
    truth = true_pairs(scene, humans, head.task.vocabulary)
    features = head.features(scene)
    before = _resident()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    if training:
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = head.loss(scene, features, truth)
            weights = {p.untyped_storage().data_ptr() for p in head.parameters}
            held = sum(size for place, size in kept.items() if place not in weights)
        loss.backward()
        del loss
        head.step(scene, features, truth)
    else:
        for _ in range(2):
            head.forward(scene, features)
        held = 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    model = head.task.model
    weight_bytes = sum(p.nbytes for p in [*model.ire.parameters(), *model.irm.parameters()])
    return {
        "peak": peak / MB,
        "beyond": peak / MB - before,
        "kept": held / MB,
        "weights": weight_bytes / MB,
    }


def _resident() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def measure_in_process(*arguments: object) -> dict[str, float]:
    """`measure` in another process."""
    command = [sys.executable, __file__, "--child", json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def cached_bytes() -> dict[str, dict[str, float]]:
    """Bytes of a cached image, by detector and options, in shards of 128 images."""
    found: dict[str, dict[str, float]] = {}
    for name, (queries, width, cells) in DETECTORS.items():
        real = torch.ones(1, queries, dtype=torch.bool)
        boxes = torch.rand(1, queries, 2).repeat(1, 1, 2) + torch.tensor([0, 0, 0.1, 0.1])
        labels = torch.randint(0, 80, (1, queries))
        entities = Entities(
            boxes, torch.rand(1, queries), labels, torch.randn(1, queries, width), real
        )
        memory, mask = torch.randn(1, width, *cells), torch.ones(1, *cells, dtype=torch.bool)
        scene = Scene(entities, memory, mask, torch.tensor([[480, 640]]))
        for option, options in STORED.items():
            packed = pack(scene, options, COCO_OBJECTS)
            single = Scene(Entities(*(f[0] for f in packed.entities)), *(f[0] for f in packed[1:4]))
            names = [f"HICO_train2015_{number:08d}.jpg" for number in range(128)]
            found.setdefault(name, {})[option] = len(encode([single] * 128, names)) / 128
    return found


def show(rows: list[dict], disk: dict) -> None:
    console = Console(width=120, stderr=True)
    table = Table(title=f"MB (2^20 bytes); {machine()}")
    headings = (
        "humans x objects",
        "batch",
        "row",
        "weights",
        "training: peak",
        "beyond",
        "kept",
        "inference: peak",
    )
    for column in (*headings, "beyond"):
        table.add_column(column, justify="left" if column == "row" else "right")
    for row in rows:
        train, infer = row["training"], row["inference"]
        cells = [
            train["weights"],
            train["peak"],
            train["beyond"],
            train["kept"],
            infer["peak"],
            infer["beyond"],
        ]
        table.add_row(
            row["size"],
            str(row["batch"]),
            row["row"],
            f"{cells[0]:.1f}",
            *(f"{c:.0f}" for c in cells[1:]),
        )
    console.print(table)
    table = Table(title="KB (1000 bytes) of a cached image")
    table.add_column("options")
    for name in disk:
        table.add_column(name, justify="right")
    for option in STORED:
        table.add_row(option, *(f"{sizes[option] / 1000:.1f}" for sizes in disk.values()))
    console.print(table)


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--sizes", nargs="+", default=["8x10", "15x15"], metavar="HUMANSxOBJECTS")
    options.add_argument("--batches", nargs="+", type=int, default=[1, 16, 64])
    options.add_argument("--rows", nargs="+", choices=HEADS, default=list(ROWS))
    options.add_argument("--child", help="used by the script itself")
    args = options.parse_args()
    if args.child:
        print(json.dumps(measure(*json.loads(args.child))))
        return
    if args.quick:
        args.sizes, args.batches, args.rows = ["3x5"], [1], ["visual"]
    torch.set_num_threads(args.threads)
    rows = []
    for size in args.sizes:
        for batch in args.batches:
            for row in args.rows:
                pair = {
                    phase: measure_in_process(row, size, batch, phase == "training", args.threads)
                    for phase in ("training", "inference")
                }
                rows.append({"size": size, "batch": batch, "row": row, **pair})
    disk = cached_bytes()
    show(rows, disk)
    report({"machine": machine(), "megabytes": rows, "bytes_per_cached_image": disk}, args.json_out)


if __name__ == "__main__":
    main()
