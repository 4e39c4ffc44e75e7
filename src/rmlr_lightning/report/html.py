"""Which page a report gets: of one run, of two, or of a sweep."""

from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.report.columns import DRAWS
from rmlr_lightning.report.comparison_page import comparison_page
from rmlr_lightning.report.rows import Report
from rmlr_lightning.report.run_page import run_page
from rmlr_lightning.report.run_record import RunRecord, read_run
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
    records = [read_run(run) for row in report.rows for run in row.runs]
    if split == "test" and len(records) == 1:
        return run_page(records[0], argv, title, draws)
    if split == "test" and len(records) == 2 and all(r.test is not None for r in records):
        a, b = sorted(records, key=lambda record: _place(record, report, paths))
        return comparison_page(a, b, argv, title, draws)
    heading = title or f"Results on the {split} split"
    return sweep_page(report, records, split, argv, heading, left_out)


def _place(record: RunRecord, report: Report, paths: Sequence[Path]) -> tuple[bool, int]:
    """The baseline first, then by the path that a run was found at."""
    folder = record.run.folder.resolve()
    found = (i for i, path in enumerate(paths) if folder.is_relative_to(path.resolve()))
    return record.run.row != report.baseline, next(found, len(paths))
