"""The claim of re-mining: RmLR against detector tokens alone and against UPT's head, over seeds, on the embedded world.

    python benchmarks/remining.py                       # 3 rows x 3 seeds; a finished run is not repeated
    python benchmarks/remining.py --seeds 0 1 2 3 4 --rows rmlr upt --out multirun/remining

Prints a table (mean and standard deviation over seeds, test split) and a line of JSON. A run is a plain `rmlr-train`;
its configuration and metrics stay below --out.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROWS = {
    "detector_tokens": ["experiment=detector_tokens"],
    "upt": ["experiment=upt"],
    "remine_mlp": ["experiment=remine_mlp"],
    "neck": ["experiment=neck"],
    "rmlr": [],
}
FIGURES = {
    "full": "map_full",
    "rare": "map_rare",
    "non-rare": "map_non_rare",
    "twins": "twin_accuracy",
}


def figures(folder: Path, row: str, seed: int, more: list[str]) -> dict[str, float]:
    """The test figures of a run, made if they are not there."""
    home = folder / row / f"seed{seed}"
    result = home / "metrics.json"
    if not result.exists():
        command = [
            sys.executable,
            "-m",
            "rmlr_lightning.cli.train",
            *ROWS[row],
            f"seed={seed}",
            f"hydra.run.dir={home}",
            *more,
        ]
        subprocess.run([*command, "resume=auto"], check=True, stdout=subprocess.DEVNULL)
    return json.loads(result.read_text())


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", nargs="+", choices=ROWS, default=["detector_tokens", "upt", "rmlr"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("multirun/remining"))
    parser.add_argument("more", nargs="*", help="further overrides of rmlr-train")
    args = parser.parse_args()
    measured = {
        row: [figures(args.out, row, seed, args.more) for seed in args.seeds] for row in args.rows
    }
    table = Table(
        title=f"test split, mean ± standard deviation over seeds {args.seeds}, in percent"
    )
    table.add_column("row")
    summary: dict[str, dict[str, list[float]]] = {}
    for name in FIGURES:
        table.add_column(name, justify="right")
    for row, runs in measured.items():
        summary[row] = {
            name: [100 * run[f"test/{key}"] for run in runs] for name, key in FIGURES.items()
        }
        cells = [
            f"{statistics.mean(v):.1f} ± {statistics.stdev(v) if len(v) > 1 else 0:.1f}"
            for v in summary[row].values()
        ]
        table.add_row(row, *cells)
    Console(width=110, stderr=True).print(table)
    print(json.dumps({"seeds": args.seeds, "rows": summary}))


if __name__ == "__main__":
    main()
