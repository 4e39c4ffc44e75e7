"""A report as CSV: a line for each run, row, comparison."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from rmlr_lightning.report.rows import METRICS, Report
from rmlr_lightning.report.runs import Run
from rmlr_lightning.report.seed_statistics import Spread
from rmlr_lightning.report.text import compared


def runs_csv(runs: Iterable[Run]) -> bytes:
    """A line for each run; figures as the run wrote them, in [0, 1] or seconds."""
    runs = list(runs)
    names = sorted({name for run in runs for name in run.figures})
    rows = [
        [
            run.row,
            run.label,
            run.train,
            run.seed,
            Path(run.folder).as_posix(),
            *(run.figures.get(n) for n in names),
        ]
        for run in runs
    ]
    return _csv(["row", "label", "train", "seed", "folder", *names], rows)


def rows_csv(report: Report) -> bytes:
    """A line for each row and size; metrics in [0, 1], costs in seconds, empty where undefined."""
    parts = [(name, METRICS[name]) for name in report.metrics]
    heads = ["row", "label", "train", "seeds", "baseline"]
    heads += [f"{key}_{what}" for _, key in parts for what in ("mean", "sd", "low", "high")]
    heads += [
        f"{key}_gain{what}" for _, key in parts for what in ("", "_low", "_high", "_clear_of_0")
    ]
    rows = []
    for row in report.rows:
        seeds = " ".join(str(run.seed) for run in row.runs)
        values = [
            v
            for name, _ in parts
            for v in (row.metrics[name][1:] if name in row.metrics else [None] * 4)
        ]
        for name, _ in parts:
            gain = row.gains.get(name)
            values += [None] * 4 if gain is None else [gain.mean, gain.low, gain.high, _known(gain)]
        costs = [row.costs.get(name) for name in report.costs]
        rows.append(
            [row.name, report.labels[row.name], row.train, seeds, report.baseline, *values, *costs]
        )
    return _csv([*heads, *(name.replace(" min", " s") for name in report.costs)], rows)


def comparisons_csv(report: Report) -> bytes:
    """A line for each comparison and metric, in [0, 1]."""
    rows = [
        [
            a,
            b,
            size,
            METRICS[name],
            " ".join(map(str, d.seeds)),
            d.mean,
            d.sd,
            d.low,
            d.high,
            _known(d),
        ]
        for a, b, size, found in compared(report)
        for name, d in found.items()
    ]
    return _csv(
        ["a", "b", "train", "metric", "seeds", "difference", "sd", "low", "high", "clear_of_0"],
        rows,
    )


def _known(spread: Spread) -> int | None:
    return None if math.isnan(spread.low) else int(spread.clear)


def _csv(heads: Sequence[str], rows: Iterable[Sequence]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow(
            ["" if v is None or (isinstance(v, float) and math.isnan(v)) else v for v in row]
        )
    return text.getvalue().encode()
