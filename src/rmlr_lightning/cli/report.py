"""rmlr-report: a table of runs, with paired differences, as Markdown, CSV and a plot.

rmlr-report multirun/ablation --baseline upt --compare sentence:remine word:remine --out multirun/ablation/report
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.report.csv_files import comparisons_csv, rows_csv, runs_csv
from rmlr_lightning.report.plot import report_png
from rmlr_lightning.report.rows import make_report
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.report.text import markdown, tables
from rmlr_lightning.runs.config import one_line_errors


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="rmlr-report",
        description="Collect finished runs of rmlr-train below FOLDERs by row, size of the training set and seed; "
        "print tables; with --out write report.md, report.png, runs.csv, rows.csv and comparisons.csv.",
        epilog="A row is called by the `name` of its configuration, followed by the overrides in which runs of that "
        "name differ: 'rmlr optim.lr=0.001'.",
        allow_abbrev=False,
    )  # fmt: skip
    out.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="looked through at any depth"
    )
    out.add_argument(
        "--rows", type=_names, default=[], metavar="A,B,C", help="show these, in this order (all)"
    )
    out.add_argument("--baseline", metavar="NAME", help="the row that all others are compared with")
    out.add_argument(
        "--compare",
        nargs="+",
        action="extend",
        type=_pair,
        default=[],
        metavar="A:B",
        help="also A - B, paired by seed",
    )
    out.add_argument(
        "--split", choices=("test", "val"), default="test", help="whose figures (test)"
    )
    out.add_argument("--title", help="heading of report.md")
    out.add_argument(
        "--out", type=Path, metavar="DIR", help="write there; without it nothing is written"
    )
    return out


def report(args: argparse.Namespace, command: str) -> None:
    """Collect, print, write."""
    found = find_runs(args.folders, f"{args.split}/map_full")
    notes = []
    if found.unfinished:
        notes.append(f"Not counted, unfinished: {', '.join(map(str, found.unfinished))}")
    if found.without:
        notes.append(
            f"Not counted, without {args.split}/map_full: {', '.join(map(str, found.without))}"
        )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    result = make_report(found.runs, args.split, args.rows, args.baseline, args.compare)
    title = args.title or f"Rows on the {args.split} split"
    for table in tables(result, title):
        _console().print(table)
    if args.out is None:
        return
    full = {
        (row.name, row.train): {run.seed: run.figures[f"{args.split}/map_full"] for run in row.runs}
        for row in result.rows
    }
    shown = [run for row in result.rows for run in row.runs]
    files = {
        "report.md": markdown(result, args.split, title, command, notes).encode(),
        "report.png": report_png(result, full, f"mAP full on the {args.split} split (%)"),
        "runs.csv": runs_csv(shown),
        "rows.csv": rows_csv(result),
        "comparisons.csv": comparisons_csv(result),
    }
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--out {args.out}: cannot be made ({error.strerror}); choose another folder"
        ) from None
    for name, content in files.items():
        write_atomic(args.out / name, content)
    print(f"report: {args.out / 'report.md'}")


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    argv = sys.argv[1:] if argv is None else argv
    args = parser().parse_args(argv)
    with one_line_errors():
        report(args, shlex.join(["rmlr-report", *argv]))


def _console() -> Console:
    """As wide as the terminal; wide enough for a table in a file or a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _pair(text: str) -> tuple[str, str]:
    a, colon, b = (part.strip() for part in text.partition(":"))
    if not (a and colon and b) or a == b:
        raise argparse.ArgumentTypeError(f"{text}: expected two rows as A:B")
    return a, b


if __name__ == "__main__":
    main()
