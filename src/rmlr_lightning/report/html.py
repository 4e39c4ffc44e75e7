"""Which page a report gets: of one run, of two, or of a sweep."""

from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.report.columns import DRAWS
from rmlr_lightning.report.comparison_page import comparison_page
from rmlr_lightning.report.measures import class_table
from rmlr_lightning.report.rows import Report
from rmlr_lightning.report.run_page import run_page
from rmlr_lightning.report.run_record import RunRecord, read_run
from rmlr_lightning.report.runs_csv import Run
from rmlr_lightning.report.sweep_page import sweep_page


def html_report(
    report: Report,
    split: str,
    argv: Sequence[str],
    paths: Sequence[Path],
    title: str | None = None,
    left_out: Sequence[str] = (),
    draws: int = DRAWS,
) -> bytes:
    """One self-contained page.

    One run gets its own page. Two runs that kept a record of their test are compared by paired
    bootstrap; the baseline, or else the run that was named first, is A. More runs are a sweep.

    Args:
        report: rows and comparisons.
        split: "val" or "test"; records are of the test split.
        argv: the arguments of rmlr-report.
        paths: folders, as given.
        title: heading; None for one of the page's own.
        left_out: sentences about runs that are not counted.
        draws: of the bootstrap over test images.

    Raises:
        UserError: a record is damaged, or two runs were tested on other data.
    """
    runs = [run for row in report.rows for run in row.runs]
    if len(runs) <= 2 and split == "test":
        records = [read_run(run) for run in runs]
        if len(records) == 1:
            return run_page(records[0], argv, title, draws, left_out)
        if all(record.test is not None for record in records):
            a, b = sorted(records, key=lambda record: _place(record, report, paths))
            return comparison_page(a, b, argv, title, draws, left_out)

    # One record after the other: those of a sweep would not fit into memory together.
    records, tables, with_words = [], [], []
    for run in runs:
        record = read_run(run)
        is_shown = record.test is not None and split == "test"
        tables.append(class_table(record.test) if is_shown else None)
        if is_shown and record.test.facts["attention"]:
            with_words.append(run)
        records.append(record._replace(test=None, thumbnails={}))
    tested = [run for run, table in zip(runs, tables, strict=True) if table is not None]
    best, words = (_best(report, shown) for shown in (tested, with_words))
    heading = title or f"Results on the {split} split"
    return sweep_page(report, records, tables, split, argv, heading, left_out, best, words)


def _best(report: Report, runs: Sequence[Run]) -> RunRecord | None:
    """A run of the row with the highest mean; None without runs."""
    main = report.main
    means = {row.name: row.metrics[main].mean for row in report.rows if main in row.metrics}
    best = max(runs, key=lambda run: means.get(run.row, 0.0), default=None)
    return None if best is None else read_run(best)


def _place(record: RunRecord, report: Report, paths: Sequence[Path]) -> tuple[bool, int]:
    """The baseline first, then by the path that a run was found at."""
    folder = record.run.folder.resolve()
    found = (i for i, path in enumerate(paths) if folder.is_relative_to(path.resolve()))
    return record.run.row != report.baseline, next(found, len(paths))
