"""Memory, open files and threads of a process that trains and evaluates again and again.

    python benchmarks/soak.py                     # an hour; --minutes 10 for less
    python benchmarks/soak.py --quick             # two rounds, as a test

A round is a run of `rmlr-train` on a small synthetic benchmark: one epoch with two loading
processes, validation, and the test of the best checkpoint. Numbers are read after each round, when
all loading processes have ended:

    rss       MB of resident memory
    files     open file descriptors
    threads   of this process
    children  processes that have not ended

The first rounds fill caches, so that growth is the slope of a line through the second half. Prints
a table on standard error and a line of JSON on standard output; --plot FILE draws the curves.
"""

import gc
import os
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import matplotlib
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from setting import machine, parser, report

from rmlr_lightning.cli.train import main as main_of_training

UNITS = {"rss": "MB", "files": "open files", "threads": "threads", "children": "processes"}
SMALL = [
    "data.prepare.config.train=48",
    "+data.prepare.config.val=16",
    "+data.prepare.config.test=32",
    "data.num_workers=2",
    "data.batch_size=8",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "+trainer.enable_progress_bar=false",
    "+trainer.enable_model_summary=false",
    "callbacks.progress=null",
]

# no phrase is encoded, no page is made
QUICK = ["loss=focal", "report=false"]


def usage() -> dict[str, float]:
    """What this process holds now."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    values = dict(line.split(":", 1) for line in status)
    me = os.getpid()
    children = Path(f"/proc/self/task/{me}/children").read_text(encoding="ascii").split()
    return {
        "rss": int(values["VmRSS"].split()[0]) / 1024,
        "files": len(os.listdir("/proc/self/fd")),
        "threads": int(values["Threads"]),
        "children": len(children),
    }


def soak(
    minutes: float, rounds: int | None, data: Path, options: list[str]
) -> list[dict[str, float]]:
    """Usage after each round, and the minutes since the start."""
    start, found = time.monotonic(), []
    while True:
        with tempfile.TemporaryDirectory() as output, redirect_stdout(sys.stderr):
            sys.argv = ["rmlr-train", f"paths.data={data}", f"hydra.run.dir={output}", *options]
            main_of_training()
        elapsed = (time.monotonic() - start) / 60
        found.append({"minutes": elapsed, **usage()})
        if len(found) == rounds or (rounds is None and elapsed >= minutes):
            return found


def growth(found: list[dict[str, float]]) -> dict[str, float]:
    """Slope per round over the second half of the rounds."""
    half = found[len(found) // 2 :]
    if len(half) < 2:
        return dict.fromkeys(UNITS, 0.0)
    steps = np.arange(len(half))
    return {name: float(np.polyfit(steps, [row[name] for row in half], 1)[0]) for name in UNITS}


def plot(found: list[dict[str, float]], path: Path) -> None:
    """One panel per number."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(len(UNITS), 1, sharex=True, figsize=(7, 8))
    minutes = [row["minutes"] for row in found]
    for panel, (name, unit) in zip(panels, UNITS.items(), strict=True):
        panel.plot(minutes, [row[name] for row in found])
        panel.set_ylabel(unit)
        panel.set_ylim(bottom=0)
    panels[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--plot", type=Path, help="draw the curves to this PNG")
    args = options.parse_args()
    torch.set_num_threads(args.threads)

    data = Path(tempfile.mkdtemp())
    try:
        if args.quick:
            found = soak(args.minutes, 2, data, [*SMALL, *QUICK])
        else:
            found = soak(args.minutes, None, data, SMALL)
    finally:
        shutil.rmtree(data, ignore_errors=True)

    table = Table(title=f"{len(found)} rounds; {machine()}")
    for title in ("", "first", "half", "last", "growth per round"):
        table.add_column(title, justify="right")
    slopes = growth(found)
    for name, unit in UNITS.items():
        values = [found[0][name], found[len(found) // 2][name], found[-1][name]]
        table.add_row(unit, *(f"{value:.0f}" for value in values), f"{slopes[name]:+.3f}")
    Console(width=100, stderr=True).print(table)
    if args.plot is not None:
        plot(found, args.plot)
    report({"machine": machine(), "rounds": found, "growth": slopes}, args.json_out)


if __name__ == "__main__":
    main()
