"""What the head costs: RmLR's IRE and IRM against UPT's head, against the arithmetic itself, and against the detector.

    python benchmarks/head.py                       # about 25 minutes of one thread, 6 GB
    python benchmarks/head.py --sizes 8x10 --batches 16 --repetitions 3
    python benchmarks/head.py --quick

Sizes are those of DETR R50 on HICO-DET (tokens 256, memory 25 x 34 x 256, 117 verbs), Scenes come ready and selected.
Rows take turns, so that what else the machine does meets all. In its turn a row does the same once untimed and then
timed: a pass follows a pass, as in an evaluation, and a step a step, and none pays for the memory that the row before
gave back. CPU time of the process, best (and median) of the repetitions, ms an image. Columns:

    forward   pairing, IRE, IRM and scores, as in inference
    step      pairing, IRE, IRM, association with true pairs, the losses of the row's configuration (for rmlr
              and large language too: the bank is read once, before), backward, clipping, fused AdamW
    floor     counted operations of matrix products and convolutions over the rate of a large float32 product, which
              takes its turns with the rows: the share of the time that this would take

"head" is IRE and IRM reading a map that is there (its gradient is computed). Rows say what else stands before it:
`neck` is model/remine=neck alone, `rmlr + neck` the two together, `select` suppression and selection from 100 queries.
Prints a table on standard error and a line of JSON on standard output.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from setting import (
    MEMORY,
    PICTURE,
    WIDTH,
    Head,
    best,
    cpu_seconds,
    detr,
    head,
    machine,
    matmul_seconds,
    operations,
    parser,
    report,
    scenes,
    truth,
)

from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.selection import Selection, select
from rmlr_lightning.types import Images, Scene

ROWS = ("upt", "rmlr", "visual", "large", "rmlr + neck")
COUNTED = 16  # images at most whose operations are counted: attention is counted as products, which takes memory
BARS = (  # what, row, size, batch, limit
    ("step", "8x10", 16, 1 / 3),
    ("forward", "8x10", 16, 1 / 4),
    ("step", "15x15", 16, 1 / 4),
    ("forward", "15x15", 16, 1 / 4),
)
FLOOR_BAR, DETECTOR_BAR = 0.6, 0.03


def measured(heads: dict[str, Head], size: tuple[int, int], batch: int, repetitions: int) -> dict:
    """All rows at one size, by turns: seconds an image, and operations an image; and seconds of an operation."""
    scene = scenes(batch, *size)
    targets = truth(scene, size[0], next(iter(heads.values())).task.vocabulary)
    times: dict[str, dict[str, list[float]]] = {row: {"forward": [], "step": []} for row in heads}
    maps = {
        row: None if one.remined else one.map_of(scene).requires_grad_()
        for row, one in heads.items()
    }
    others = _others(heads["rmlr"], scene)
    times |= {row: {"forward": [], "step": []} for row in others}
    rates: list[float] = []
    for _ in range(repetitions):
        matmul_seconds()
        rates.append(matmul_seconds())
        for row, one in heads.items():
            one.task.eval()
            times[row]["forward"].append(again(partial(one.forward, scene, maps[row])))
            one.task.train()
            times[row]["step"].append(again(partial(one.step, scene, maps[row], targets)))
            if maps[row] is not None:
                maps[row].grad = None
        for row, runs in others.items():
            for what, run in runs.items():
                times[row][what].append(again(run))
    counted = min(batch, COUNTED)
    few, few_targets = Scene(*(_first(part, counted) for part in scene)), targets[:counted]
    result: dict = {}
    for row, columns in times.items():
        result[row] = {
            what: {name: value / batch for name, value in best(seconds).items()}
            for what, seconds in columns.items()
            if seconds
        }
    for row, one in heads.items():
        features = None if maps[row] is None else maps[row][:counted].detach()
        one.task.eval()
        result[row]["forward"]["operations"] = (
            operations(partial(one.forward, few, features)) / counted
        )
        one.task.train()
        features = None if features is None else features.requires_grad_()
        result[row]["step"]["operations"] = (
            operations(partial(one.learn, few, features, few_targets)) / counted
        )
        one.optimizer.zero_grad()
    pairs = int(pair(scene.entities, heads["rmlr"].task.model.allowed).mask.shape[1])
    return result | {"pairs": pairs, "operation": min(rates)}


def again(run: Callable[[], object]) -> float:
    """CPU seconds of the second of two runs."""
    run()
    return cpu_seconds(run)


def _first(part, count: int):
    return (
        type(part)(*(field[:count] for field in part)) if isinstance(part, tuple) else part[:count]
    )


def _others(rmlr: Head, scene: Scene) -> dict[str, dict[str, Callable]]:
    """What stands before the head, alone."""
    neck, selection = rmlr.task.model.remine, Selection()
    raw = scenes(len(scene.sizes), 30, 70)
    with torch.no_grad():
        upstream = torch.randn_like(neck(scene, None))

    def infer() -> None:
        with torch.inference_mode():
            neck(scene, None)

    def learn() -> None:
        neck(scene, None).backward(upstream)
        neck.zero_grad()

    return {
        "neck": {"forward": infer, "step": learn},
        "select": {"forward": lambda: select(raw, selection)},
    }


def detector_seconds(repetitions: int) -> float:
    """One picture through a DETR R50 with random weights."""
    network = detr()
    images = Images(
        torch.rand(1, 3, *PICTURE),
        torch.ones(1, *PICTURE, dtype=torch.bool),
        torch.tensor([PICTURE]),
    )
    with torch.inference_mode():
        return min(cpu_seconds(lambda: network(images)) for _ in range(repetitions))


def bars(cells: dict, detector: float | None) -> list[dict]:
    """The limits that were set, and what was reached; where this run has the size."""
    found = []
    for what, size, batch, limit in BARS:
        if (cell := cells.get(f"{size} b{batch}")) is not None:
            value = cell["rmlr"][what]["best"] / cell["upt"][what]["best"]
            found.append(
                {"bar": f"{what} over UPT's, {size} b{batch}", "at most": limit, "reached": value}
            )
    for name, cell in cells.items():
        if name.startswith("15x15"):
            for what in ("forward", "step"):
                value = cell["rmlr"][what]["floor"]
                found.append(
                    {
                        "bar": f"share of the floor, {what}, {name}",
                        "at least": FLOOR_BAR,
                        "reached": value,
                    }
                )
        if detector is not None and name.endswith(" b1"):
            value = cell["rmlr"]["forward"]["best"] / detector
            found.append(
                {"bar": f"head over DETR R50, {name}", "at most": DETECTOR_BAR, "reached": value}
            )
    for bar in found:
        bar["met"] = (
            bar["reached"] <= bar["at most"]
            if "at most" in bar
            else bar["reached"] >= bar["at least"]
        )
    return found


def show(cells: dict, found: list[dict], detector: float | None) -> None:
    console = Console(width=132, stderr=True)
    rate = 1e-9 / min(cell["operation"] for cell in cells.values())
    table = Table(
        title=f"CPU ms an image, best (median); {machine()}; {rate:.0f} GFLOP/s in a matrix product"
    )
    for column in (
        "people x things",
        "batch",
        "pairs",
        "row",
        "forward",
        "of UPT",
        "floor",
        "step",
        "of UPT",
        "floor",
    ):
        table.add_column(column, justify="left" if column == "row" else "right")
    for name, cell in cells.items():
        size, batch = name.split(" b")
        for row in [row for row in cell if isinstance(cell[row], dict)]:
            cells_of = []
            for what in ("forward", "step"):
                time = cell[row].get(what)
                if time is None:
                    cells_of += ["", "", ""]
                    continue
                share = time["best"] / cell["upt"][what]["best"]
                floor = f"{100 * time['floor']:.0f} %" if "floor" in time else ""
                cells_of += [
                    f"{1e3 * time['best']:.2f} ({1e3 * time['median']:.2f})",
                    f"{share:.2f}",
                    floor,
                ]
            table.add_row(size, batch, str(cell["pairs"]), row, *cells_of)
        table.add_section()
    console.print(table)
    if detector is not None:
        console.print(f"DETR R50 at {PICTURE[0]} x {PICTURE[1]}, one picture: {detector:.2f} CPU-s")
    for bar in found:
        limit = (
            f"at most {bar['at most']:.2f}"
            if "at most" in bar
            else f"at least {bar['at least']:.2f}"
        )
        console.print(
            f"{'met   ' if bar['met'] else 'MISSED'} {bar['bar']}: {bar['reached']:.3f}, {limit}"
        )


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument(
        "--sizes", nargs="+", default=["3x5", "8x10", "15x15"], metavar="PEOPLExTHINGS"
    )
    options.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64])
    options.add_argument("--repetitions", type=int, default=5)
    options.add_argument("--no-detector", action="store_true", help="leave DETR R50 out")
    args = options.parse_args()
    if args.quick:
        args.sizes, args.batches, args.repetitions, args.no_detector = ["3x5"], [1], 1, True
    torch.set_num_threads(args.threads)
    tasks = {row: head(row.split(" ")[0]) for row in ROWS}
    heads = {row: Head(row, task) for row, task in tasks.items()}
    cells = {}
    for size in args.sizes:
        people, things = (int(side) for side in size.split("x"))
        for batch in args.batches:
            print(f"{size}, batch {batch}", file=sys.stderr, flush=True)
            cells[f"{size} b{batch}"] = measured(heads, (people, things), batch, args.repetitions)
    detector = None if args.no_detector else detector_seconds(max(2, args.repetitions // 2))
    for cell in cells.values():
        for row in heads:
            for time in cell[row].values():
                time["floor"] = time["operations"] * cell["operation"] / time["best"]
    found = bars(cells, detector)
    show(cells, found, detector)
    report(
        {
            "machine": machine(),
            "memory": [WIDTH, *MEMORY],
            "gflop_per_s": 1e-9 / min(cell["operation"] for cell in cells.values()),
            "detr_r50_s": detector,
            "bars": found,
            "seconds_an_image": cells,
        },
        args.json_out,
    )


if __name__ == "__main__":
    main()
