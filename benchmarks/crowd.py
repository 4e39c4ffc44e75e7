"""What crowds cost: time and memory of a training step and of inference against the pairs.

    python benchmarks/crowd.py                      # about 10 minutes of one thread, 6 GB
    python benchmarks/crowd.py --people 15 30 --images 1
    python benchmarks/crowd.py --quick

Every entity is a person, so that N people are N (N - 1) pairs; selection keeps them all. Sizes are
those of DETR R50 on HICO-DET, the row is `rmlr` with all losses. Each value comes from a process of
its own:

    ms        CPU time per image
    beyond    MB: the peak minus the memory in use before

A batch is processed in parts of at most `model.max_pairs` padded pairs, which bounds the memory of
a batch, but not that of a single image. Prints a table on standard error and a line of JSON on
standard output.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from setting import cpu_seconds, machine, make_task, parser, random_scenes, report, true_pairs

from rmlr_lightning.types import Batch, Inputs, Scene

MB = 2**20


def crowd(images: int, people: int) -> Scene:
    """Scenes in which every entity is a person."""
    scene = random_scenes(images, people, 0)
    return scene._replace(maps={})


def measure(people: int, images: int, max_pairs: int, training: bool) -> dict[str, float]:
    """Runs in a process of its own."""
    torch.set_num_threads(1)
    task = make_task("rmlr")
    task.train(training)
    model = task.model
    model.max_pairs = max_pairs
    # no threshold, no cap, no NMS: all of the crowd
    model.selection = model.selection._replace(
        score_threshold=0.0, max_instances=people, nms_iou=1.0
    )
    scene = crowd(images, people)
    # the true pairs are among the first people
    truth = true_pairs(scene, people - 1, task.vocabulary)
    batch = Batch(Inputs(None, scene), truth, list(range(images)))
    before = _resident()

    def step() -> None:
        loss = _whole_loss(task, batch)
        loss.backward()
        task.zero_grad()

    def infer() -> None:
        with torch.inference_mode():
            model(batch.inputs)

    seconds = cpu_seconds(step if training else infer)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"ms": 1000 * seconds / images, "beyond": peak / MB - before}


def _whole_loss(task: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """`training_step`, whose backward passes of all parts but the last need no Trainer here."""

    class Strategy:
        @staticmethod
        def backward(loss: torch.Tensor, optimizer: None) -> None:
            loss.backward()

    class NoTrainer:
        strategy, barebones = Strategy, False

    task._trainer = NoTrainer
    return task.training_step(batch, 0)


def _resident() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def measure_in_process(*arguments: object) -> dict[str, float]:
    """`measure` in another process."""
    command = [sys.executable, __file__, "--child", json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def show(rows: list[dict]) -> None:
    """The table."""
    table = Table(title=machine())
    for title in ("people", "pairs", "images", "max_pairs"):
        table.add_column(title, justify="right")
    for phase in ("step", "inference"):
        table.add_column(f"{phase}: ms per image", justify="right")
        table.add_column("MB beyond", justify="right")
    for row in rows:
        cells = [row["people"], row["pairs"], row["images"], row["max_pairs"]]
        values = [row[phase][name] for phase in ("step", "inference") for name in ("ms", "beyond")]
        table.add_row(*map(str, cells), *(f"{value:.0f}" for value in values))
    Console(width=110, stderr=True).print(table)


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--people", nargs="+", type=int, default=[15, 30, 50, 71, 100])
    options.add_argument("--images", nargs="+", type=int, default=[1])
    options.add_argument("--max-pairs", nargs="+", type=int, default=[32768])
    options.add_argument("--child", help="used by the script itself")
    args = options.parse_args()
    if args.child:
        print(json.dumps(measure(*json.loads(args.child))))
        return
    if args.quick:
        args.people, args.images = [6], [2]
    rows = []
    for people in args.people:
        for images in args.images:
            for max_pairs in args.max_pairs:
                rows.append(
                    {
                        "people": people,
                        "pairs": people * (people - 1),
                        "images": images,
                        "max_pairs": max_pairs,
                        "step": measure_in_process(people, images, max_pairs, True),
                        "inference": measure_in_process(people, images, max_pairs, False),
                    }
                )
    show(rows)
    report({"machine": machine(), "rows": rows}, args.json_out)


if __name__ == "__main__":
    main()
