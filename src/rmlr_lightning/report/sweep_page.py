"""The page of a sweep: rows with their seeds, differences paired by seed, curves and classes."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

from rmlr_lightning.errors import counted
from rmlr_lightning.report.calibration import calibration
from rmlr_lightning.report.cells import (
    comparison_cells,
    comparison_heads,
    row_cells,
    row_heads,
    size_name,
)
from rmlr_lightning.report.charts import Bar, Chart, curves_chart, forest_chart
from rmlr_lightning.report.curves import validation_title
from rmlr_lightning.report.html_page import html_page
from rmlr_lightning.report.image_cards import best_and_worst, missing_images
from rmlr_lightning.report.measures import VCOCO_NOTE, ClassTable
from rmlr_lightning.report.page import LEGEND
from rmlr_lightning.report.rows import Report, Row
from rmlr_lightning.report.run_page import IDS
from rmlr_lightning.report.run_record import RunRecord, mean_history
from rmlr_lightning.report.sections import attention_rows, breakdowns, confusions, origin
from rmlr_lightning.report.seed_statistics import Spread
from rmlr_lightning.report.sweep_sections import (
    error_names,
    run_row,
    sweep_classes,
    sweep_costs,
    sweep_errors,
    typed_commands,
)
from rmlr_lightning.report.sweep_verdict import sweep_verdict

SECTIONS = {
    "tables": "Rows",
    "comparisons": "Differences",
    "charts": "Curves",
    "classes": "Classes",
    "gains": "Class differences",
    "errors": "Errors",
    "images": "Images",
    "calibration": "Calibration",
    "breakdowns": "Groups",
    "confusions": "Confused verbs",
    "attention": "Words",
    "costs": "Cost",
    "origins": "Runs and commands",
}
TWINS = (
    "Twins: two images with the same boxes and objects, and other verbs. Right: a pair scores its "
    "own verb above that of its twin. Chance is 50 %."
)
OWN_IDS = IDS | {"tables": "metrics", "comparisons": "differences", "gains": "class-differences"}


def sweep_page(
    report: Report,
    records: Sequence[RunRecord],
    tables: Sequence[ClassTable | None],
    split: str,
    argv: Sequence[str],
    title: str,
    left_out: Sequence[str] = (),
    best: RunRecord | None = None,
    words: RunRecord | None = None,
) -> bytes:
    """All rows of a report. Classes and errors are shown where all runs of a row kept a record.

    Args:
        report: rows and comparisons.
        records: of their runs.
        tables: classes of each record; None where the run kept no record of its test.
        split: "val" or "test".
        argv: the arguments of rmlr-report that make this page.
        title: heading.
        left_out: sentences about runs that are not counted.
        best: a run of the best row, which is shown in detail; None where none kept a record.
        words: a run of the best row that aligns tokens with words; None where none does.
    """
    of_row: dict[str, list[RunRecord]] = {}
    for record in records:
        of_row.setdefault(record.run.row, []).append(record)
    tested: dict[str, list[ClassTable | None]] = {}
    for record, table in zip(records, tables, strict=True):
        tested.setdefault(record.run.row, []).append(table)
    with_test = {row: members for row, members in tested.items() if None not in members}
    # As in the tables, the first metric is drawn.
    key = f"{split}/{report.metrics[report.main]}"
    comparisons = report.all_comparisons()
    classes = sweep_classes(with_test, report.baseline)
    content: dict[str, Any] = {
        "verdict": sweep_verdict(report),
        "legend": LEGEND.replace("**Bold**", "Bold"),
        "twins_note": TWINS if "twins" in report.metrics else "",
        "main_title": main_title(report),
        "baseline": report.labels.get(report.baseline or "", ""),
        "tables": [_table(report, size, key) for size in report.sizes()],
        "comparisons": {
            "heads": comparison_heads(report),
            "rows": [comparison_cells(report, c, "*") for c in comparisons],
        },
        "charts": _charts(report, of_row),
        "class_heads": [report.labels[row] for row in with_test],
        "classes": classes["ap"],
        "gain_heads": [report.labels[row] for row in with_test if row != report.baseline],
        "gains": classes["gains"],
        "errors": sweep_errors(report.labels, with_test),
        "error_heads": error_names(with_test),
        **_details(best, words),
        "costs": sweep_costs(report.labels, of_row),
        "runs": [run_row(record, key) for record in records],
        "commands": typed_commands(records),
        # code and files of a sweep are those of its first run; the table has all commits
        "origins": [{**origin(record), "command": ""} for record in records[:1]],
    }
    rows = len({row.name for row in report.rows})
    sections = [
        (OWN_IDS.get(name, name), text)
        for name, text in SECTIONS.items()
        if content[name] and (name != "comparisons" or comparisons)
    ]
    notes = [VCOCO_NOTE] if report.main == "scenario 1" else []
    if best is not None:
        notes += missing_images(best, chain(*content["images"].values()))
    return html_page(
        "sweep.html",
        content,
        title=title,
        subtitle=f"{counted(len(records), 'run')} in {counted(rows, 'row')}, {split} split.",
        sections=sections,
        argv=argv,
        left_out=left_out,
        notes=notes,
    )


def main_title(report: Report) -> str:
    """Of the metric that is drawn."""
    return "mAP full" if report.main == "full" else report.main


def _details(best: RunRecord | None, words: RunRecord | None) -> dict[str, Any]:
    """What the page of a run has and means over seeds cannot show."""
    return {
        "best": best and {"name": best.name, "row": best.run.label, "folder": str(best.run.folder)},
        "images": best and best_and_worst(best),
        "calibration": best and calibration(best),
        "breakdowns": best and breakdowns(best),
        "confusions": best and confusions(best),
        "attention": words and attention_rows(words),
        "words_of": words and words.name,
        # the row of the highest mAP may be trained without a text
        "is_best": best is not None and words is not None and best.run.row == words.run.row,
    }


def _table(report: Report, size: int | None, key: str) -> dict[str, Any]:
    """The rows of one size of the training set, as cells and as a forest plot."""
    rows = [row for row in report.rows if row.train == size]
    base = {
        run.seed: run.metrics.get(key) for r in rows if r.name == report.baseline for run in r.runs
    }
    labels, main = report.labels, report.main
    values = [_bar(labels[row.name], row.metrics.get(main), _points(row, key)) for row in rows]
    # The baseline has its name here, too, so that the rows of all plots are level.
    gains = [_bar(labels[row.name], row.gains.get(main), _gains(row, key, base)) for row in rows]
    title = f"{main_title(report)} of every row"
    against = f"Difference to {labels.get(report.baseline or '', '')}, paired by seed"
    forests = (
        forest_chart(title, values, "%", limits=(0, 100)),
        forest_chart(against, gains, "points", 0.0, is_difference=True, limits=(-100, 100)),
        _twins(report, rows, key),
    )
    order = _main_first(report)
    heads, cells = row_heads(report), [row_cells(report, row, "*") for row in rows]
    return {
        "title": size_name(size),
        "heads": [heads[place] for place in order],
        "rows": [[line[place] for place in order] for line in cells],
        "forests": [chart for chart in forests if chart is not None],
    }


def _twins(report: Report, rows: Sequence[Row], main_key: str) -> Chart | None:
    """The accuracy at twins, beside its chance of 50 %."""
    key = f"{main_key.partition('/')[0]}/{report.metrics.get('twins')}"
    known = [row for row in rows if "twins" in row.metrics and report.main != "twins"]
    bars = [_bar(report.labels[row.name], row.metrics["twins"], _points(row, key)) for row in known]
    return forest_chart("Twins of every row", bars, "right, %", include=50.0, limits=(0, 100))


def _main_first(report: Report) -> list[int]:
    """Places of the columns: a phone shows the first ones, name, main metric and difference."""
    heads = row_heads(report)
    main = heads.index(report.main)
    gain = [2 + len(report.metrics)] if report.baseline else []
    first = [0, main, *gain]
    return [*first, *(place for place in range(len(heads)) if place not in first)]


def _points(row: Row, key: str) -> list[float]:
    return [100 * run.metrics[key] for run in row.runs if key in run.metrics]


def _gains(row: Row, key: str, base: dict[int, float | None]) -> list[float]:
    if not row.gains:
        return []
    pairs = [(run.metrics.get(key), base.get(run.seed)) for run in row.runs]
    return [100 * (a - b) for a, b in pairs if a is not None and b is not None]


def _bar(name: str, spread: Spread | None, points: Sequence[float]) -> Bar:
    if spread is None:
        return Bar(name, math.nan)
    return Bar(name, 100 * spread.mean, 100 * spread.low, 100 * spread.high, points)


def _charts(report: Report, of_row: dict[str, list[RunRecord]]) -> list[Chart]:
    charts = []
    key = report.metrics[report.main]
    wanted = {
        "Training loss": ("train/loss", 1.0),
        validation_title(key): (f"val/{key}", 100.0),
    }
    for title, (name, factor) in wanted.items():
        curves = {
            report.labels[row]: [
                (epoch, factor * value)
                for epoch, value in mean_history([record.history for record in members], name)
            ]
            for row, members in of_row.items()
        }
        charts.append(curves_chart(title, curves))
    return [chart for chart in charts if chart is not None]
