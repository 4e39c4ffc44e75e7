"""rmlr-report: tables of finished runs with paired differences, as Markdown, CSV and a plot.

rmlr-report multirun/ablation --baseline visual --compare rmlr:visual --out multirun/ablation/report
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import check_outputs, check_writable, write_atomic
from rmlr_lightning.report.cells import screen_tables
from rmlr_lightning.report.page import MAX_LINES, page
from rmlr_lightning.report.plot import report_png
from rmlr_lightning.report.rows import METRICS, make_report
from rmlr_lightning.report.runs import FoundRuns, find_runs
from rmlr_lightning.report.runs_csv import runs_csv
from rmlr_lightning.report.summary_csv import comparisons_csv, rows_csv
from rmlr_lightning.runs.command_line import CommandLine, file_arguments
from rmlr_lightning.runs.user_errors import one_line_errors

FILES = ("report.md", "report.png", "runs.csv", "rows.csv", "comparisons.csv")  # of --out


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = CommandLine(
        prog="rmlr-report",
        description="Collect finished runs of rmlr-train and compare them: mean and standard "
        "deviation over seeds, differences paired by seed with 95 % intervals, costs. Prints "
        "tables; --out and --page write files.",
        epilog="A row is named by the `name` of its configuration, followed by the overrides in "
        "which runs of that name differ: 'rmlr optim.lr=0.001'.",
        allow_abbrev=False,
    )
    option = out.add_argument
    option(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="folders that are searched at any depth for runs, or a runs.csv of an earlier report",
    )
    option("--rows", type=_names, default=[], metavar="A,B,C", help="rows in this order (all)")
    option("--baseline", metavar="NAME", help="the row that all others are compared with")
    option(
        "--compare",
        nargs="+",
        action="extend",
        type=_pair,
        default=[],
        metavar="A:B",
        help="also the difference A - B",
    )
    option("--split", choices=("test", "val"), default="test", help="of the metrics (test)")
    option(
        "--metrics",
        type=_metrics,
        default=METRICS,
        metavar="A,B,C",
        help=f"columns: {', '.join(METRICS)} (those present), or other keys of metrics.json "
        "without the split",
    )
    option("--commit", help="of the code that made the runs (the one checked out at PATH)")
    option("--title", help="heading of the page")
    option("--notes", type=Path, metavar="FILE", help="Markdown to put at the end of the page")
    option("--page", type=Path, metavar="FILE", help="write the page of Markdown there")
    option("--plot", type=Path, metavar="PNG", help="write the plot there; the page shows it")
    option(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"write {', '.join(FILES)} there",
    )
    option("--overwrite", action="store_true", help="replace files that exist")
    return out


def report(args: argparse.Namespace, argv: Sequence[str]) -> None:
    """Collect, print, write."""
    _check_outputs(args)
    # The first metric is required; runs without it are named and left out.
    key = next(iter(args.metrics.values()))
    found = find_runs(args.paths, f"{args.split}/{key}", args.commit)
    left_out = _left_out(found, f"{args.split}/{key}")
    for sentence in left_out:
        print(f"note: {sentence}", file=sys.stderr)

    result = make_report(
        found.runs, args.split, args.rows, args.baseline, args.compare, args.metrics
    )
    title = args.title or f"Results on the {args.split} split"
    for table in screen_tables(result, title):
        _console().print(table)

    def markdown(plot: str | None) -> bytes:
        command = [word for word in argv if word != "--overwrite"]
        text = page(result, args.split, title, command, left_out, plot, _text(args.notes))
        return text.encode()

    files = {}
    if args.out is not None:
        shown = [run for row in result.rows for run in row.runs]
        contents = (
            markdown("report.png"),
            report_png(result, args.split),
            runs_csv(shown),
            rows_csv(result),
            comparisons_csv(result),
        )
        files |= {args.out / name: content for name, content in zip(FILES, contents, strict=True)}
    if args.plot is not None:
        files[args.plot] = report_png(result, args.split)
    if args.page is not None:
        files[args.page] = markdown(_relative(args.plot, args.page))
        lines = files[args.page].count(b"\n")
        if lines > MAX_LINES:
            print(f"note: {args.page} has {lines} lines; fewer --rows or --compare shorten it")

    # All content is made before the first file is written.
    for path, content in files.items():
        check_writable(path)  # makes the folder
        write_atomic(path, content)
    for path in files:
        if path.suffix == ".md":
            print(f"report: {path}")


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    argv = sys.argv[1:] if argv is None else argv
    args = parser().parse_args(file_arguments(argv))
    with one_line_errors():
        report(args, argv)


def _check_outputs(args: argparse.Namespace) -> None:
    """Before the runs are read: what would be written, and where."""
    outputs = {f"--{name}": getattr(args, name) for name in ("page", "plot")}
    if args.out is not None:
        outputs |= {f"--out {args.out}, {name}": args.out / name for name in FILES}
    named = {name: path for name, path in outputs.items() if path is not None}
    check_outputs(named, None if args.overwrite else "--overwrite", folders=False)


def _left_out(found: FoundRuns, required: str) -> list[str]:
    sentences = []
    if found.unfinished:
        sentences.append(f"Not counted, unfinished: {', '.join(map(str, found.unfinished))}")
    if found.without_metric:
        folders = ", ".join(map(str, found.without_metric))
        sentences.append(f"Not counted, without {required}: {folders}")
    return sentences


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"--notes {path}: cannot be read ({error})") from None


def _relative(plot: Path | None, page_path: Path) -> str | None:
    return None if plot is None else Path(os.path.relpath(plot, page_path.parent)).as_posix()


def _console() -> Console:
    """As wide as the terminal; wide enough for a table in a file or a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _metrics(text: str) -> dict[str, str]:
    names = _names(text)
    if not names:
        raise argparse.ArgumentTypeError("expected names of metrics")
    return {name: METRICS.get(name, name) for name in names}


def _pair(text: str) -> tuple[str, str]:
    a, colon, b = (part.strip() for part in text.partition(":"))
    if not (a and colon and b) or a == b:
        raise argparse.ArgumentTypeError(f"{text}: expected two rows as A:B")
    return a, b


if __name__ == "__main__":
    main()
