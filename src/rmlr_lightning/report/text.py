"""A report as Markdown and on the screen."""

import math
from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from rmlr_lightning.report.rows import Report, Row
from rmlr_lightning.report.seed_statistics import Spread

LEGEND = """Differences are paired by seed,
with Student's 95 % interval in brackets; **bold**: clear of 0. One seed gives no interval (-).
The intervals tell the spread over seeds, not over test images. Nothing is corrected for the number of
comparisons: of twenty true zeros one would be bold by chance."""


def mean_and_sd(spread: Spread | None) -> str:
    """Percent: "35.2 ± 0.4", "35.2" of one seed, "-" of none."""
    if spread is None or not spread.seeds:
        return "-"
    sd = "" if math.isnan(spread.sd) else f" ± {100 * spread.sd:.1f}"
    return f"{100 * spread.mean:.1f}{sd}"


def difference(spread: Spread | None, bold: str = "**") -> str:
    """Percent: "+1.20 [+0.31, +2.09]", marked with `bold` where the interval is clear of 0; "+1.20 [-]" of one seed."""
    if spread is None or not spread.seeds:
        return "-"
    if math.isnan(spread.low):
        return f"{100 * spread.mean:+.2f} [-]"
    text = f"{100 * spread.mean:+.2f} [{100 * spread.low:+.2f}, {100 * spread.high:+.2f}]"
    return f"{bold}{text}{bold}" if spread.clear else text


def size_name(size: int | None) -> str:
    """Of a training set."""
    return "" if size is None else f"{size:,} training images"


def seeds_text(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))


def header(report: Report) -> list[str]:
    """Of the table of rows."""
    gain = [f"full - {report.labels[report.baseline]}"] if report.baseline else []
    return ["row", "seeds", *report.metrics, *gain, *report.costs]


def cells(report: Report, row: Row, bold: str) -> list[str]:
    """A row of the table."""
    gain = [] if report.baseline is None else [difference(row.gains.get("full"), bold)]
    return [
        report.labels[row.name],
        seeds_text(run.seed for run in row.runs),
        *(mean_and_sd(row.metrics.get(name)) for name in report.metrics),
        *gain,
        *(f"{row.costs[name] / 60:.1f}" if name in row.costs else "-" for name in report.costs),
    ]


def compared(report: Report) -> list[tuple[str, str, int | None, dict[str, Spread]]]:
    """Every comparison: of the rows with the baseline, then those that were asked for."""
    rows = [(row.name, report.baseline, row.train, row.gains) for row in report.rows if row.gains]
    asked = [(c.a, c.b, c.train, c.differences) for c in report.comparisons if c.differences]
    return rows + [item for item in asked if item[:3] not in {row[:3] for row in rows}]


def comparison_rows(report: Report, bold: str) -> list[list[str]]:
    """Of the table of comparisons."""
    return [
        [
            f"{report.labels[a]} - {report.labels[b]}",
            "-" if size is None else f"{size:,}",
            seeds_text(_seeds(found)),
            *(difference(found.get(name), bold) for name in report.metrics),
        ]
        for a, b, size, found in compared(report)
    ]


def side_by_side(report: Report) -> list[tuple[str, dict[int | None, Spread]]]:
    """Differences of the full mAP by size of the training set; nothing where there is one size."""
    out: dict[tuple[str, str], dict[int | None, Spread]] = {}
    if len(report.sizes()) > 1:
        for a, b, size, found in compared(report):
            if "full" in found:
                out.setdefault((a, b), {})[size] = found["full"]
    return [(f"{report.labels[a]} - {report.labels[b]}", sizes) for (a, b), sizes in out.items()]


def in_words(report: Report, a: str, b: str, size: int | None, found: dict[str, Spread]) -> str:
    """One sentence for a comparison."""
    parts = []
    for name, spread in found.items():
        text = f"{name} {100 * spread.mean:+.2f}"
        if not math.isnan(spread.low):
            clear = "clear of 0" if spread.clear else "not clear of 0"
            text += f" (95 % interval {100 * spread.low:+.2f} to {100 * spread.high:+.2f}, {clear})"
        parts.append(text)
    where = f", {size_name(size)}" if size is not None else ""
    return (
        f"{report.labels[a]} - {report.labels[b]}{where}, {_of_seeds(found)}: {'; '.join(parts)}."
    )


def markdown(report: Report, split: str, title: str, command: str, notes: Sequence[str]) -> str:
    """A section of a page of results: heading, command, tables, comparisons, what to know."""
    lines = [f"## {title}", "", f"`{command}`", ""]
    lines += [
        f"{split.capitalize()} split, in percent, mean ± standard deviation (n - 1) over seeds. {LEGEND}",
        "",
    ]
    for size in report.sizes():
        if size is not None:
            lines += [f"### {size_name(size)}", ""]
        rows = [cells(report, row, "**") for row in report.rows if row.train == size]
        lines += [*_markdown_table(header(report), rows), ""]
    lines += ["![every row with its interval](report.png)", ""]
    sides, all_compared = side_by_side(report), compared(report)
    if sides:
        sizes = report.sizes()
        rows = [[name, *(difference(found.get(size)) for size in sizes)] for name, found in sides]
        heads = ["difference, full", *(size_name(size) or "-" for size in sizes)]
        lines += [
            "### Differences by size of the training set",
            "",
            *_markdown_table(heads, rows),
            "",
        ]
    if all_compared:
        lines += ["### Paired differences", ""]
        lines += [
            *_markdown_table(
                ["difference", "train", "seeds", *report.metrics], comparison_rows(report, "**")
            ),
            "",
        ]
    if report.comparisons:
        lines += ["In words:", ""]
        lines += [
            f"- {in_words(report, c.a, c.b, c.train, c.differences)}"
            for c in report.comparisons
            if c.differences
        ]
        lines += [""]
    if notes:
        lines += [*(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def tables(report: Report, title: str) -> list[Table]:
    """The same for the screen."""
    out = []
    for size in report.sizes():
        rows = [cells(report, row, "*") for row in report.rows if row.train == size]
        out.append(
            _rich_table(
                f"{title}{', ' * (size is not None)}{size_name(size)}", header(report), rows
            )
        )
    if compared(report):
        heads = ["difference [95 % interval]", "train", "seeds", *report.metrics]
        out.append(_rich_table("paired by seed; *clear of 0*", heads, comparison_rows(report, "*")))
    return out


def _seeds(found: dict[str, Spread]) -> set[int]:
    """Fewer may hold for a metric that some run leaves undefined."""
    return {seed for spread in found.values() for seed in spread.seeds}


def _of_seeds(found: dict[str, Spread]) -> str:
    seeds = _seeds(found)
    return f"seed{'s' * (len(seeds) > 1)} {seeds_text(seeds)}{' (no interval)' * (len(seeds) == 1)}"


def _markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _rich_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for index, name in enumerate(heads):
        table.add_column(Text(name), justify="right" if index else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # brackets are no markup here
    return table
