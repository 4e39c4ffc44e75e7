"""What rmlr-report does: collect runs, print tables, write files."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.files import check_outputs, check_writable, write_atomic
from rmlr_lightning.report.columns import FILES
from rmlr_lightning.report.failed_runs import failed_sentences
from rmlr_lightning.report.html import html_report
from rmlr_lightning.report.page import MAX_LINES, page
from rmlr_lightning.report.plot import report_png
from rmlr_lightning.report.rows import make_report
from rmlr_lightning.report.runs import FoundRuns, find_runs
from rmlr_lightning.report.runs_csv import runs_csv
from rmlr_lightning.report.screen import print_report
from rmlr_lightning.report.summary_csv import comparisons_csv, rows_csv


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

    def markdown(plot: str | None) -> bytes:
        command = [word for word in argv if word != "--overwrite"]
        text = page(result, args.split, title, command, left_out, plot, _text(args.notes))
        return text.encode()

    files, html = {}, b""
    if args.out is not None or args.html is not None:
        html = html_report(
            result, args.split, argv, args.paths, args.title, left_out, args.bootstrap
        )
    # after the page of HTML, for which the test records are compared: that may be refused
    print_report(result, title, _console())

    if args.html is not None:
        files[args.html] = html
    if args.out is not None:
        shown = [run for row in result.rows for run in row.runs]
        contents = (
            html,
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
        if path.suffix in (".md", ".html"):
            print(f"report: {path}")


def _check_outputs(args: argparse.Namespace) -> None:
    """Before the runs are read: what would be written, and where."""
    outputs = {f"--{name}": getattr(args, name) for name in ("html", "page", "plot")}
    if args.out is not None:
        outputs |= {f"--out {args.out}, {name}": args.out / name for name in FILES}
    named = {name: path for name, path in outputs.items() if path is not None}
    check_outputs(named, None if args.overwrite else "--overwrite", folders=False)


def _left_out(found: FoundRuns, required: str) -> list[str]:
    sentences = failed_sentences(found.failed)
    if found.unfinished:
        sentences.append(f"Not counted, unfinished: {', '.join(map(str, found.unfinished))}")
    if found.without_metric:
        folders = ", ".join(map(str, found.without_metric))
        sentences.append(f"Not counted, without {required}: {folders}")
    # Such runs finish, but their metrics are not those of the data set.
    for limit in sorted(set(found.limits.values())):
        folders = ", ".join(str(folder) for folder, one in found.limits.items() if one == limit)
        sentences.append(f"Metrics of a part of the split, because of {limit}: {folders}")
    return [printable(sentence) for sentence in sentences]


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
