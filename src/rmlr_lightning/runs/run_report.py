"""The page that a run ends with."""

import shlex
import sys
from pathlib import Path

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.report.columns import METRICS
from rmlr_lightning.report.html import html_report
from rmlr_lightning.report.rows import make_report
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.scoring.record_file import FILE as RECORD

FILE = "report.html"


def write_run_report(folder: Path) -> None:
    """Write report.html of a finished run into its folder, and print its path.

    Without a record of its test a run has no page. A page that cannot be made is a note: the run is
    finished, and the command in the note makes the page later.
    """
    if not (folder / RECORD).exists():
        return
    if folder.is_absolute() and folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())  # as one would type it
    path = folder / FILE
    command = [str(folder), "--html", str(path)]
    try:
        runs = find_runs([folder], f"test/{next(iter(METRICS.values()))}").runs
        page = html_report(make_report(runs, "test"), "test", command, [folder])
        write_atomic(path, page)
    except (UserError, OSError) as error:
        again = shlex.join(["rmlr-report", *command])
        print(f"note: no report was made ({error}); later: {again}", file=sys.stderr)
        return
    print(f"report: {path}")
