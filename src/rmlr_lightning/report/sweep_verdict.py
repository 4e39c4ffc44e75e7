"""What a page of a sweep states first: which rows differ, in which direction, and by what test."""

import math
from collections.abc import Sequence
from typing import Any

from rmlr_lightning.errors import counted
from rmlr_lightning.report.cells import comparison_name, verdict
from rmlr_lightning.report.columns import METRICS
from rmlr_lightning.report.percent import percent, signed
from rmlr_lightning.report.rows import Comparison, Report
from rmlr_lightning.report.seed_statistics import Spread

MAX_SENTENCES = 12


def sweep_verdict(report: Report) -> dict[str, Any]:
    """The heading, its colour, and a sentence for each comparison."""
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

    known = [c for c in comparisons if report.main in c.differences]
    tested = [c for c in known if not math.isnan(c.differences[report.main].low)]
    differing = [c for c in tested if c.differences[report.main].significant]
    # What differs comes first; `sorted` keeps the order of the others.
    ordered = sorted(comparisons, key=lambda c: c not in differing)
    sentences = [verdict(report, comparison) for comparison in ordered[:MAX_SENTENCES]]
    if len(ordered) > MAX_SENTENCES:
        sentences.append(f"{len(ordered) - MAX_SENTENCES} more in the table.")
    if not tested:
        return {"kind": "", "main": _untested(report, known), "sentences": sentences}
    gains = sum(c.differences[report.main].mean > 0 for c in differing)
    losses = len(differing) - gains
    # A mixture of gains and losses has no colour.
    kind = "good" if gains and not losses else "bad" if losses and not gains else ""
    counts = _counts(report, gains, losses, tested)
    intervals = _intervals([c.differences[report.main] for c in tested], len(comparisons))
    return {
        "kind": kind if report.metrics[report.main] in METRICS.values() else "",
        "main": f"{counts}: {intervals}",
        "sentences": sentences,
    }


def _untested(report: Report, known: Sequence[Comparison]) -> str:
    """The heading without any interval: the largest difference, which may be chance."""
    why = "an interval takes two seeds or more that both rows have"
    if any(len(c.differences[report.main].seeds) > 1 for c in known):
        why = "differences that are the same with every seed have no interval"
    text = f"No difference was tested: {why}"
    if not known:
        return f"{text}."
    largest = max(known, key=lambda c: abs(c.differences[report.main].mean))
    name = comparison_name(report, largest)
    change = signed(largest.differences[report.main].mean)
    unit = "mAP" if report.main == "full" else report.main
    return f"{text}. The largest: {name}, {change} {unit}."


def _counts(report: Report, gains: int, losses: int, tested: Sequence[Comparison]) -> str:
    """ "5 of 10 rows differ from visual (0 better, 5 worse)"; of one row whether it does."""
    # Of another key of metrics.json it is not known whether more is better.
    is_known = report.metrics[report.main] in METRICS.values()
    up, down = ("better", "worse") if is_known else ("higher", "lower")
    differing = gains + losses
    if len(tested) == 1:
        a, b = (report.labels[name] for name in (tested[0].a, tested[0].b))
        if not differing:
            return f"No difference between {a} and {b} is shown"
        return f"{a} is {up if gains else down} than {b}"
    noun, other = "comparison", "0"  # of --compare: any two rows
    if not report.comparisons:
        noun, other = "row", report.labels[report.baseline]
    first = f"{differing} of {counted(len(tested), noun)} differ from {other}"
    return f"{first} ({gains} {up}, {losses} {down})"


def _intervals(tested: Sequence[Spread], total: int) -> str:
    """What was compared with 0: Student's interval over so many seeds, without a correction."""
    numbers = sorted({len(spread.seeds) for spread in tested})
    seeds = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
    text = f"Student's 95 % {'interval' if len(tested) == 1 else 'intervals'} over {seeds} seeds"
    if len(tested) > 1:
        text += f", not corrected for {counted(len(tested), 'comparison')}"
    rest = total - len(tested)
    return f"{text}." + (f" {rest} more without an interval." if rest else "")
