"""CPU time of the head: RmLR's IRE and IRM against UPT's, PViC's, the arithmetic, the detector.

    python benchmarks/head.py                       # about 25 minutes of one thread, 6 GB
    python benchmarks/head.py --sizes 8x10 --batches 16 --repetitions 3
    python benchmarks/head.py --quick

Sizes are those of DETR R50 on HICO-DET (tokens 256, memory 25 x 34 x 256, 117 verbs). Scenes are
given and selected. Rows alternate, so that other processes disturb all of them equally. Each row
runs once untimed before it is timed: otherwise it would pay for the memory that the previous row
returned to the system. CPU time of the process, best (median) of the repetitions, ms per image:

    forward   pairing, IRE, IRM and scores, as in inference
    step      pairing, IRE, IRM, matching, the losses of the row's config (text embeddings are read
              once, before), backward, clipping, fused AdamW
    floor     share of the time that the counted operations of matrix products and convolutions
              would take at the rate of a large float32 product, which is timed between the rows

The head is IRE and IRM on a given feature map. Its gradient is computed, but for the frozen map of
the backbone that UPT and PViC read. `neck` is model/remine=neck alone, `rmlr + neck` both
together, `select` NMS and selection from 100 queries.
Prints a table on standard error and a line of JSON on standard output.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from setting import (
    IMAGE_SIZE,
    MEMORY_SIZE,
    WIDTH,
    Head,
    best,
    cpu_seconds,
    machine,
    make_task,
    matmul_seconds,
    operations,
    parser,
    random_detr,
    random_scenes,
    report,
    true_pairs,
)

from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.selection import Selection, gather_entities, select
from rmlr_lightning.types import Images, Scene

ROWS = ("upt", "pvic", "rmlr", "visual", "large", "rmlr + neck")
COLUMNS = ("forward", "step")
MAX_COUNTED = 16  # images; counting replaces attention by products, which take memory
TARGETS = (  # column, size, batch, upper limit of the ratio to UPT
    ("step", "8x10", 16, 1 / 3),
    ("forward", "8x10", 16, 1 / 4),
    ("step", "15x15", 16, 1 / 4),
    ("forward", "15x15", 16, 1 / 4),
)
MIN_FLOOR, MAX_OF_DETECTOR = 0.6, 0.03


def measure(heads: dict[str, Head], size: tuple[int, int], batch: int, repetitions: int) -> dict:
    """All rows at one size: seconds and operations per image, and seconds per operation."""
    humans, objects = size
    scene = random_scenes(batch, humans, objects)
    vocabulary = next(iter(heads.values())).task.vocabulary
    truth = true_pairs(scene, humans, vocabulary)
    maps = {row: None if head.with_neck else head.features(scene) for row, head in heads.items()}
    others = _other_parts(heads["rmlr"], scene)
    times: dict[str, dict[str, list[float]]] = {
        row: {column: [] for column in COLUMNS} for row in (*heads, *others)
    }

    rates: list[float] = []
    for _ in range(repetitions):
        matmul_seconds()
        rates.append(matmul_seconds())
        for row, head in heads.items():
            head.task.eval()
            times[row]["forward"].append(second_run(partial(head.forward, scene, maps[row])))
            head.task.train()
            times[row]["step"].append(second_run(partial(head.step, scene, maps[row], truth)))
            if maps[row] is not None:
                maps[row].grad = None
        for row, runs in others.items():
            for column, run in runs.items():
                times[row][column].append(second_run(run))

    result: dict[str, Any] = {}
    for row, columns in times.items():
        result[row] = {
            column: {name: value / batch for name, value in best(seconds).items()}
            for column, seconds in columns.items()
            if seconds
        }
    for row, head in heads.items():
        for column, count in _count(head, scene, maps[row], truth).items():
            result[row][column]["operations"] = count
    pairs = pair(scene.entities, heads["rmlr"].task.model.valid_pairs)
    return result | {"pairs": pairs.mask.shape[1], "operation": min(rates)}


def second_run(run: Callable[[], object]) -> float:
    """CPU seconds of the second of two runs."""
    run()
    return cpu_seconds(run)


def _count(head: Head, scene: Scene, features: Any, truth: Any) -> dict[str, float]:
    """Operations per image of a forward pass and a step without the optimiser."""
    count = min(len(scene.sizes), MAX_COUNTED)
    scene, truth = _first(scene, count), _first(truth, count)
    trained = features is not None and features.requires_grad
    features = None if features is None else features[:count].detach()

    head.task.eval()
    forward = operations(partial(head.forward, scene, features))
    head.task.train()
    if features is not None:
        features.requires_grad_(trained)
    step = operations(partial(head.backward, scene, features, truth))
    head.optimizer.zero_grad()
    return {"forward": forward / count, "step": step / count}


def _first(record: Any, count: int) -> Any:
    """The first images of a (nested) record."""
    if isinstance(record, tuple):
        return type(record)(*(_first(field, count) for field in record))
    if isinstance(record, dict):
        return {name: _first(value, count) for name, value in record.items()}
    return record[:count]


def _other_parts(rmlr: Head, scene: Scene) -> dict[str, dict[str, Callable[[], object]]]:
    """The stages before the head, alone."""
    neck, selection = rmlr.task.model.remine, Selection()
    queries = random_scenes(len(scene.sizes), 30, 70).entities
    with torch.no_grad():
        gradient = torch.randn_like(neck(scene, None))

    def select_and_gather() -> None:
        gather_entities(queries, select(queries, selection))

    def neck_forward() -> None:
        with torch.inference_mode():
            neck(scene, None)

    def neck_step() -> None:
        neck(scene, None).backward(gradient)
        neck.zero_grad()

    return {
        "neck": {"forward": neck_forward, "step": neck_step},
        "select": {"forward": select_and_gather},
    }


def detector_seconds(repetitions: int) -> float:
    """CPU seconds of one image through DETR R50 with random weights."""
    network = random_detr()
    mask = torch.ones(1, *IMAGE_SIZE, dtype=torch.bool)
    images = Images(torch.rand(1, 3, *IMAGE_SIZE), mask, torch.tensor([IMAGE_SIZE]))
    with torch.inference_mode():
        return min(cpu_seconds(lambda: network(images)) for _ in range(repetitions))


def compare_with_targets(cells: dict, detector: float | None) -> list[dict]:
    """What was reached of the limits, where this run has the size."""
    found = []
    for column, size, batch, limit in TARGETS:
        cell = cells.get(f"{size} b{batch}")
        if cell is not None:
            ratio = cell["rmlr"][column]["best"] / cell["upt"][column]["best"]
            name = f"{column} over UPT's, {size} b{batch}"
            found.append({"target": name, "at most": limit, "reached": ratio})
    for name, cell in cells.items():
        if name.startswith("15x15"):
            for column in COLUMNS:
                floor = cell["rmlr"][column]["floor"]
                target = f"share of the floor, {column}, {name}"
                found.append({"target": target, "at least": MIN_FLOOR, "reached": floor})
        if detector is not None and name.endswith(" b1"):
            ratio = cell["rmlr"]["forward"]["best"] / detector
            target = f"head over DETR R50, {name}"
            found.append({"target": target, "at most": MAX_OF_DETECTOR, "reached": ratio})
    for line in found:
        is_upper = "at most" in line
        line["met"] = (
            line["reached"] <= line["at most"] if is_upper else line["reached"] >= line["at least"]
        )
    return found


def show(cells: dict, found: list[dict], detector: float | None) -> None:
    """The table, and the targets."""
    console = Console(width=132, stderr=True)
    rate = 1e-9 / min(cell["operation"] for cell in cells.values())
    table = Table(
        title=f"CPU ms per image, best (median); {machine()}; {rate:.0f} GFLOP/s in a product"
    )
    for heading in ("humans x objects", "batch", "pairs", "row"):
        table.add_column(heading, justify="left" if heading == "row" else "right")
    for heading in COLUMNS:
        for part in (heading, "of UPT", "floor"):
            table.add_column(part, justify="right")
    for name, cell in cells.items():
        size, batch = name.split(" b")
        for row, times in cell.items():
            if not isinstance(times, dict):
                continue
            values = []
            for column in COLUMNS:
                values += _cells(times.get(column), cell["upt"][column])
            table.add_row(size, batch, str(cell["pairs"]), row, *values)
        table.add_section()
    console.print(table)

    if detector is not None:
        height, width = IMAGE_SIZE
        console.print(f"DETR R50 at {height} x {width}, one image: {detector:.2f} CPU-s")
    for line in found:
        bound = "at most" if "at most" in line else "at least"
        verdict = "met   " if line["met"] else "MISSED"
        console.print(
            f"{verdict} {line['target']}: {line['reached']:.3f}, {bound} {line[bound]:.2f}"
        )


def _cells(time: dict | None, upt: dict) -> tuple[str, str, str]:
    """Milliseconds, ratio to UPT and floor of one column."""
    if time is None:
        return "", "", ""
    return (
        f"{1e3 * time['best']:.2f} ({1e3 * time['median']:.2f})",
        f"{time['best'] / upt['best']:.2f}",
        f"{100 * time['floor']:.0f} %" if "floor" in time else "",
    )


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument(
        "--sizes", nargs="+", default=["3x5", "8x10", "15x15"], metavar="HUMANSxOBJECTS"
    )
    options.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64])
    options.add_argument("--repetitions", type=int, default=5)
    options.add_argument("--no-detector", action="store_true", help="leave DETR R50 out")
    args = options.parse_args()
    if args.quick:
        args.sizes, args.batches, args.repetitions, args.no_detector = ["3x5"], [1], 1, True
    torch.set_num_threads(args.threads)

    heads = {row: Head(row, make_task(row.split(" ")[0])) for row in ROWS}
    cells = {}
    for size in args.sizes:
        humans, objects = (int(side) for side in size.split("x"))
        for batch in args.batches:
            print(f"{size}, batch {batch}", file=sys.stderr, flush=True)
            cells[f"{size} b{batch}"] = measure(heads, (humans, objects), batch, args.repetitions)
    detector = None if args.no_detector else detector_seconds(max(2, args.repetitions // 2))

    for cell in cells.values():
        for row in heads:
            for time in cell[row].values():
                time["floor"] = time["operations"] * cell["operation"] / time["best"]
    found = compare_with_targets(cells, detector)
    show(cells, found, detector)
    report(
        {
            "machine": machine(),
            "memory": [WIDTH, *MEMORY_SIZE],
            "gflop_per_s": 1e-9 / min(cell["operation"] for cell in cells.values()),
            "detr_r50_s": detector,
            "targets": found,
            "seconds_per_image": cells,
        },
        args.json_out,
    )


if __name__ == "__main__":
    main()
