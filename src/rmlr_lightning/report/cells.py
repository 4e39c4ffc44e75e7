"""The tables of a report as text cells, and its comparisons as sentences."""

import math

from rmlr_lightning.report.percent import decimals, signed
from rmlr_lightning.report.rows import Comparison, Report, Row
from rmlr_lightning.report.seed_statistics import Spread


def mean_and_sd(spread: Spread | None) -> str:
    """In percent: "35.2 ± 0.4"; "35.2" of one seed; "-" of none."""
    if spread is None or not spread.seeds:
        return "-"
    sd = "" if math.isnan(spread.sd) else f" ± {100 * spread.sd:.1f}"
    return f"{100 * spread.mean:.1f}{sd}"


def difference(spread: Spread | None, bold: str = "**") -> str:
    """In percent: "+1.20 [+0.31, +2.09]", in `bold` if significant; "+1.20 [-]" of one seed."""
    if spread is None or not spread.seeds:
        return "-"
    if math.isnan(spread.low):
        return f"{signed(spread.mean, 2)} [-]"
    digits = decimals((spread.low, spread.high), 2)
    mean, low, high = (signed(x, digits) for x in (spread.mean, spread.low, spread.high))
    text = f"{mean} [{low}, {high}]"
    return f"{bold}{text}{bold}" if spread.significant else text


def size_name(size: int | None) -> str:
    """Of a training set."""
    return "" if size is None else f"{size:,} training images"


def row_heads(report: Report) -> list[str]:
    """Heads of the table of rows."""
    gain = [f"{report.main} - {report.labels[report.baseline]}"] if report.baseline else []
    return ["row", "seeds", *report.metrics, *gain, *report.costs]


def row_cells(report: Report, row: Row, bold: str) -> list[str]:
    """A line of the table of rows."""
    # The gain over the baseline, with its interval, for the main metric only.
    gain = [] if report.baseline is None else [difference(row.gains.get(report.main), bold)]
    return [
        report.labels[row.name],
        ", ".join(str(seed) for seed in sorted(run.seed for run in row.runs)),
        *(mean_and_sd(row.metrics.get(name)) for name in report.metrics),
        *gain,
        *(f"{row.costs[name] / 60:.1f}" if name in row.costs else "-" for name in report.costs),
    ]


def comparison_name(report: Report, comparison: Comparison) -> str:
    """ "word - sentence"; the size of the training set follows where there are several."""
    name = f"{report.labels[comparison.a]} - {report.labels[comparison.b]}"
    if len(report.sizes()) > 1:
        name += f", {size_name(comparison.train) or 'size unknown'}"
    return name


def comparison_heads(report: Report) -> list[str]:
    """Heads of the table of comparisons."""
    return ["difference [95 % interval]", "seeds", *report.metrics]


def comparison_cells(report: Report, comparison: Comparison, bold: str) -> list[str]:
    """A line of the table of comparisons."""
    return [
        comparison_name(report, comparison),
        str(len(_seeds(comparison))),
        *(difference(comparison.differences.get(name), bold) for name in report.metrics),
    ]


def verdict(report: Report, comparison: Comparison) -> str:
    """One sentence: "RmLR - visual: +0.3 mAP [-0.4, 1.0], not significant." """
    spread = comparison.differences.get(report.main)
    name = comparison_name(report, comparison)
    if spread is None:
        return f"{name}: no seed in common with {report.main} defined."

    unit = "mAP" if report.main == "full" else report.main
    if math.isnan(spread.low):
        why = "one seed" if len(spread.seeds) == 1 else "the same with every seed"
        return f"{name}: {signed(spread.mean)} {unit}, {why}, no interval."
    digits = decimals((spread.low, spread.high))
    low, high = (f"{round(100 * x, digits) + 0.0:.{digits}f}" for x in (spread.low, spread.high))
    significant = "significant" if spread.significant else "not significant"
    return f"{name}: {signed(spread.mean, digits)} {unit} [{low}, {high}], {significant}."


def _seeds(comparison: Comparison) -> set[int]:
    """Some may miss for a metric that a run leaves undefined."""
    return {seed for spread in comparison.differences.values() for seed in spread.seeds}
