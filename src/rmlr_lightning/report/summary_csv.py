"""The rows and comparisons of a report as CSV."""

import math

from rmlr_lightning.report.rows import Report
from rmlr_lightning.report.runs_csv import csv_bytes
from rmlr_lightning.report.seed_statistics import Spread


def rows_csv(report: Report) -> bytes:
    """A line for each row and size; metrics in [0, 1], costs in seconds, empty where undefined."""
    keys = list(report.metrics.values())
    heads = ["row", "label", "train", "seeds", "baseline"]
    heads += [f"{key}_{part}" for key in keys for part in ("mean", "sd", "low", "high")]
    heads += [f"{key}_gain{part}" for key in keys for part in ("", "_low", "_high", "_significant")]
    heads += [name.replace(" min", " s") for name in report.costs]

    lines = []
    for row in report.rows:
        seeds = " ".join(str(run.seed) for run in row.runs)
        line = [row.name, report.labels[row.name], row.train, seeds, report.baseline]
        # Four columns per metric for the value, then four per metric for the gain.
        for name in report.metrics:
            value = row.metrics.get(name)
            line += [None] * 4 if value is None else [value.mean, value.sd, value.low, value.high]
        for name in report.metrics:
            gain = row.gains.get(name)
            line += [None] * 4 if gain is None else [gain.mean, *_interval(gain)]
        lines.append([*line, *(row.costs.get(name) for name in report.costs)])
    return csv_bytes(heads, lines)


def comparisons_csv(report: Report) -> bytes:
    """A line for each comparison and metric, in [0, 1]."""
    heads = ["a", "b", "train", "metric", "seeds", "difference", "sd", "low", "high", "significant"]
    lines = []
    for comparison in report.all_comparisons():
        for name, found in comparison.differences.items():
            seeds = " ".join(map(str, found.seeds))
            facts = [comparison.a, comparison.b, comparison.train, report.metrics[name], seeds]
            lines.append([*facts, found.mean, found.sd, *_interval(found)])
    return csv_bytes(heads, lines)


def _interval(found: Spread) -> list:
    significant = None if math.isnan(found.low) else int(found.significant)
    return [found.low, found.high, significant]
