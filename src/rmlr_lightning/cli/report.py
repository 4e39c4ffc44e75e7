"""rmlr-report: finished runs as one HTML page, and as Markdown, CSV and a plot.

rmlr-report outputs/rmlr --html rmlr.html
rmlr-report outputs/visual outputs/rmlr --html difference.html
rmlr-report multirun/ablation --baseline visual --compare rmlr:visual --out multirun/ablation/report
rmlr-report --watch multirun/ablation
rmlr-report wandb TEAM
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.report.columns import DRAWS, FILES, METRICS, PROJECT
from rmlr_lightning.runs.command_line import CommandLine, file_arguments
from rmlr_lightning.runs.user_errors import one_line_errors

# The report itself is imported in `main`: `--help` and mistakes in options need none of it.


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = CommandLine(
        prog="rmlr-report",
        description="Collect finished runs of rmlr-train and compare them: mean and standard "
        "deviation over seeds, differences paired by seed with 95 % intervals, costs. Prints "
        "tables; --html, --out and --page write files. The HTML page needs no other file and no "
        "network: of one run it has metrics with intervals, curves, classes, errors and images; "
        "of two runs (A B) the difference B - A by paired bootstrap over the test images, and the "
        "images that changed most; of more runs the rows with their seeds.",
        epilog="A row is named as in tables, or by the `name` of its configuration, followed by "
        "the overrides in which runs of that name differ: 'rmlr optim.lr=0.001'. `rmlr-report "
        "wandb --help`: a dashboard in Weights & Biases.",
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
    option("--html", type=Path, metavar="FILE", help="write the HTML page there")
    option(
        "--bootstrap",
        type=_count,
        default=DRAWS,
        metavar="N",
        help=f"draws of the test images, for the intervals of the HTML page ({DRAWS})",
    )
    option("--page", type=Path, metavar="FILE", help="write the page of Markdown there")
    option("--plot", type=Path, metavar="PNG", help="write the plot there; the page shows it")
    option("--out", type=Path, metavar="DIR", help=f"write {', '.join(FILES)} there")
    option("--overwrite", action="store_true", help="replace files that exist")
    option("--watch", action="store_true", help="no report: show how far the sweep in PATH is")
    return out


def dashboard_parser() -> argparse.ArgumentParser:
    """The command line of `rmlr-report wandb`."""
    out = CommandLine(
        prog="rmlr-report wandb",
        description="Make a workspace in Weights & Biases for the runs of logger=wandb: results "
        "by row with the spread over seeds, twins, curves, classes, images, loss terms, cost. "
        "Needs rmlr-lightning[dashboard], and `wandb login` to save it.",
        allow_abbrev=False,
    )
    option = out.add_argument
    option("entity", metavar="ENTITY", help="user or team")
    option("--project", default=PROJECT, help=f"of the runs ({PROJECT})")
    option("--sweep", metavar="DIR", help="only runs of this sweep, such as multirun/ablation")
    option("--split", choices=("test", "val"), help="of the bars (what runs in --sweep DIR have)")
    option("--json", type=Path, metavar="FILE", help="write the workspace there, save nothing")
    option("--overwrite", action="store_true", help="replace the file if it exists")
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["wandb"]:  # a folder of this name is ./wandb
        args = dashboard_parser().parse_args(file_arguments(argv[1:]))
        with one_line_errors():
            from rmlr_lightning.report.wandb_workspace import make_dashboard
            from rmlr_lightning.runs.wandb_names import typed_sweep

            make_dashboard(args, args.sweep and typed_sweep(args.sweep))
        return
    args = parser().parse_args(file_arguments(argv))
    if args.watch and len(args.paths) > 1:
        parser().error(f"--watch shows one sweep; {args.paths[1]}: watch it by itself")
    with one_line_errors():
        if args.watch:
            from rmlr_lightning.runs.sweep_watch import watch

            watch(args.paths[0])
            return
        from rmlr_lightning.report.outputs import report

        report(args, argv)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _metrics(text: str) -> dict[str, str]:
    names = _names(text)
    if not names:
        raise argparse.ArgumentTypeError("expected names of metrics")
    return {name: METRICS.get(name, name) for name in names}


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 100:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number from 100")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    a, colon, b = (part.strip() for part in text.partition(":"))
    if not (a and colon and b) or a == b:
        raise argparse.ArgumentTypeError(f"{text}: expected two rows as A:B")
    return a, b


if __name__ == "__main__":
    main()
