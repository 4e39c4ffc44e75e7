"""The page of a sweep: rows with their seeds, differences paired by seed, curves and classes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rmlr_lightning.errors import counted
from rmlr_lightning.report.cells import (
    comparison_cells,
    comparison_heads,
    row_cells,
    row_heads,
    size_name,
    verdict,
)
from rmlr_lightning.report.charts import Scale, curves_chart, difference_scale, mark, scale_of
from rmlr_lightning.report.columns import METRICS
from rmlr_lightning.report.html_page import html_page
from rmlr_lightning.report.measures import VCOCO_NOTE, ClassTable
from rmlr_lightning.report.page import LEGEND
from rmlr_lightning.report.percent import percent
from rmlr_lightning.report.rows import Report, Row
from rmlr_lightning.report.run_page import IDS
from rmlr_lightning.report.run_record import RunRecord, mean_history
from rmlr_lightning.report.sections import command_of, duration, origin
from rmlr_lightning.report.seed_statistics import Spread

SECTIONS = {
    "tables": "Rows",
    "comparisons": "Differences",
    "charts": "Curves",
    "classes": "Classes",
    "errors": "Errors",
    "origins": "Runs and commands",
}
OWN_IDS = IDS | {"tables": "metrics", "comparisons": "differences"}
MAX_SENTENCES = 12


def sweep_page(
    report: Report,
    records: Sequence[RunRecord],
    tables: Sequence[ClassTable | None],
    split: str,
    argv: Sequence[str],
    title: str,
    left_out: Sequence[str] = (),
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
    content: dict[str, Any] = {
        "verdict": _verdict(report),
        "legend": LEGEND.replace("**Bold**", "Bold"),
        "main_title": "mAP full" if report.main == "full" else report.main,
        "baseline": report.labels.get(report.baseline or "", ""),
        "tables": [_table(report, size, key) for size in report.sizes()],
        "comparisons": {
            "heads": comparison_heads(report),
            "rows": [comparison_cells(report, c, "*") for c in comparisons],
        },
        "charts": _charts(report, of_row),
        "class_heads": [report.labels[row] for row in with_test],
        "classes": _classes(with_test),
        "errors": _errors(report, with_test),
        "error_heads": _error_names(with_test),
        "runs": [_run(record, key) for record in records],
        # code and files of a sweep are those of its first run; the table has all commits
        "origins": [origin(record) for record in records[:1]],
    }
    rows = len({row.name for row in report.rows})
    sections = [
        (OWN_IDS.get(name, name), text)
        for name, text in SECTIONS.items()
        if content[name] and (name != "comparisons" or comparisons)
    ]
    return html_page(
        "sweep.html",
        content,
        title=title,
        subtitle=f"{counted(len(records), 'run')} in {counted(rows, 'row')}, {split} split.",
        sections=sections,
        argv=argv,
        notes=[*left_out, *([VCOCO_NOTE] if report.main == "scenario 1" else [])],
    )


def _verdict(report: Report) -> dict[str, Any]:
    comparisons = report.comparisons or report.all_comparisons()
    if not comparisons:
        best = max(
            (row for row in report.rows if report.main in row.metrics),
            key=lambda row: row.metrics[report.main].mean,
        )
        mean = percent(best.metrics[report.main].mean)
        name = "mAP full" if report.main == "full" else report.main
        text = f"Highest {name}: {report.labels[best.name]}, {mean} %."
        rest = ["Without --baseline or --compare nothing is compared, so no difference is tested."]
        return {"kind": "", "main": text, "sentences": rest}

    spreads = [c.differences.get(report.main) for c in comparisons]
    differing = [
        c for c, spread in zip(comparisons, spreads, strict=True) if spread and spread.significant
    ]
    # What differs comes first; `sorted` keeps the order of the others.
    ordered = sorted(comparisons, key=lambda c: c not in differing)
    sentences = [verdict(report, comparison) for comparison in ordered[:MAX_SENTENCES]]
    if len(ordered) > MAX_SENTENCES:
        sentences.append(f"{len(ordered) - MAX_SENTENCES} more in the table.")
    gains = sum(c.differences[report.main].mean > 0 for c in differing)
    losses = len(differing) - gains
    # A mixture of gains and losses has no colour.
    kind = "good" if gains and not losses else "bad" if losses and not gains else ""
    return {
        "kind": kind if report.metrics[report.main] in METRICS.values() else "",
        "main": f"{_counts(report, gains, losses, len(comparisons))} {_interval(spreads)}",
        "sentences": sentences,
    }


def _counts(report: Report, gains: int, losses: int, total: int) -> str:
    """ "5 of 10 rows differ from visual (0 better, 5 worse)." """
    # Of another key of metrics.json it is not known whether more is better.
    is_known = report.metrics[report.main] in METRICS.values()
    up, down = ("better", "worse") if is_known else ("higher", "lower")
    differing = gains + losses
    verb = "differs" if total == 1 else "differ"
    if report.comparisons:  # of --compare: any two rows
        first = f"{differing} of {counted(total, 'comparison')} {verb} from 0"
        return f"{first} ({gains} {up}, {losses} {down})."
    baseline = report.labels[report.baseline or ""]
    first = f"{differing} of {counted(total, 'row')} {verb} from {baseline}"
    return f"{first} ({gains} {up}, {losses} {down})."


def _interval(spreads: Sequence[Spread | None]) -> str:
    """What was compared with 0: Student's interval over so many seeds, without a correction."""
    numbers = sorted({len(spread.seeds) for spread in spreads if spread})
    with_interval = [spread for spread in spreads if spread and not math.isnan(spread.low)]
    if not with_interval:
        return "There is no interval: it takes two seeds or more that both rows have."
    seeds = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
    text = f"This is by Student's 95 % intervals over {seeds} seeds, paired, "
    if len(with_interval) == 1:
        return f"{text}without regard to other comparisons."
    return f"{text}not corrected for {counted(len(with_interval), 'comparison')}."


def _table(report: Report, size: int | None, key: str) -> dict[str, Any]:
    """The rows of one size of the training set, as cells and as a forest plot."""
    rows = [row for row in report.rows if row.train == size]
    base = {
        run.seed: run.metrics.get(key) for r in rows if r.name == report.baseline for run in r.runs
    }
    # All rows share a scale, so that they can be compared by eye.
    ends, gain_ends = [], []
    for row in rows:
        ends += _ends(row.metrics.get(report.main), _points(row, key))
        gain_ends += _ends(row.gains.get(report.main), _gains(row, key, base))
    middles = [100 * row.gains[report.main].mean for row in rows if report.main in row.gains]
    scale, gain_scale = scale_of(ends), difference_scale(gain_ends, middles)
    return {
        "title": size_name(size),
        "heads": row_heads(report),
        "rows": [row_cells(report, row, "*") for row in rows],
        "forest": [
            {
                "label": report.labels[row.name],
                "value": _mark(scale, row.metrics.get(report.main), _points(row, key)),
                "gain": _mark(gain_scale, row.gains.get(report.main), _gains(row, key, base)),
            }
            for row in rows
        ],
        "scale": scale,
        "gains": bool(gain_ends),
        "gain_scale": gain_scale,
    }


def _points(row: Row, key: str) -> list[float]:
    return [100 * run.metrics[key] for run in row.runs if key in run.metrics]


def _gains(row: Row, key: str, base: dict[int, float | None]) -> list[float]:
    if not row.gains:
        return []
    pairs = [(run.metrics.get(key), base.get(run.seed)) for run in row.runs]
    return [100 * (a - b) for a, b in pairs if a is not None and b is not None]


def _ends(spread: Any, points: Sequence[float]) -> list[float]:
    if spread is None:
        return []
    return [100 * spread.mean, 100 * spread.low, 100 * spread.high, *points]


def _mark(scale: Scale, spread: Any, points: Sequence[float]) -> Any:
    if spread is None:
        return None
    colour = 0
    return mark(scale, 100 * spread.mean, 100 * spread.low, 100 * spread.high, points, colour)


def _charts(report: Report, of_row: dict[str, list[RunRecord]]) -> list[Any]:
    charts = []
    wanted = {
        "Training loss": ("train/loss", 1.0),
        f"Validation {report.main} (%)": (f"val/{report.metrics[report.main]}", 100.0),
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


def _classes(with_test: dict[str, list[ClassTable]]) -> list[dict[str, Any]]:
    """Classes that all rows share, by the AP of the first row."""
    means = {}
    for row, members in with_test.items():
        if all(table.names == members[0].names for table in members):
            mean = np.mean([table.ap for table in members], axis=0)
            means[row] = dict(zip(members[0].names, mean.tolist(), strict=True))
    if not means:
        return []
    first = next(iter(with_test.values()))[0]
    nan = float("nan")
    rows = [
        {
            "name": name,
            "ap": [means.get(row, {}).get(name, nan) for row in with_test],
            "truth": int(count),
            "note": first.notes.get(name),
        }
        for name, count in zip(first.names, first.positives, strict=True)
        if count
    ]
    return sorted(rows, key=lambda row: -row["ap"][0])


def _error_names(with_test: dict[str, list[ClassTable]]) -> list[str]:
    first = next(iter(with_test.values()), None)
    return [name.replace("_", " ") for name in first[0].errors] if first else []


def _errors(report: Report, with_test: dict[str, list[ClassTable]]) -> list[dict[str, Any]]:
    rows = []
    for row, members in with_test.items():
        costs = np.mean([list(table.errors.values()) for table in members], axis=0)
        rows.append({"label": report.labels[row], "costs": costs.tolist()})
    return rows


def _run(record: RunRecord, key: str) -> dict[str, Any]:
    run = record.run
    return {
        "label": run.label,
        "seed": run.seed,
        "main": percent(run.metrics.get(key, float("nan"))),
        "cost": duration(run.metrics["fit_seconds"]) if "fit_seconds" in run.metrics else "-",
        "commit": origin(record)["commit"][:12],
        "folder": str(run.folder),
        "command": command_of(record.environment),
    }
