"""The tables of a report for a terminal, whatever its width."""

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from rmlr_lightning.report.cells import (
    comparison_cells,
    comparison_heads,
    row_cells,
    row_heads,
    size_name,
)
from rmlr_lightning.report.rows import Report

WIDEST = 10_000  # columns; no table is wider
INSEPARABLE = "\N{NO-BREAK SPACE}"  # which `textwrap` leaves alone


def print_report(report: Report, title: str, console: Console) -> None:
    """Print the rows of each size, and the comparisons."""
    for size in report.sizes():
        rows = [row_cells(report, row, "*") for row in report.rows if row.train == size]
        heading = ", ".join(part for part in (title, size_name(size)) if part)
        _print_table(console, heading, row_heads(report), rows)

    comparisons = report.all_comparisons()
    if comparisons:
        rows = [comparison_cells(report, comparison, "*") for comparison in comparisons]
        heading = "Paired by seed; *significant*: the interval excludes 0"
        _print_table(console, heading, comparison_heads(report), rows)


def _print_table(
    console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print a table; where it does not fit, each row as a paragraph: rich would break words.

    Only the names of the rows are wrapped, between their words.
    """
    console.print(Text(title, style="italic"), soft_wrap=True)
    table = Table()
    table.add_column(Text(heads[0]))
    for name, *cells in list(zip(heads, *rows, strict=True))[1:]:
        widest = max(map(cell_len, (name, *cells)))
        table.add_column(Text(name), justify="right", min_width=widest, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))  # `Text`, because brackets would be read as markup
    wide = console.options.update(width=WIDEST)
    if Measurement.get(console, wide, table).minimum <= console.width:
        console.print(table)
        return
    for paragraph in _paragraphs(heads, rows, console.width):
        console.print(Text(paragraph), soft_wrap=True)


def _paragraphs(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Each row as its name and lines of `head cell`, in which equal heads are below each other."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    out = []
    for name, *cells in rows:
        values = zip(heads[1:], cells, widths[1:], strict=True)
        items = [f"{head} {cell:>{space}}" for head, cell, space in values]
        text = "   ".join(item.replace(" ", INSEPARABLE) for item in items)
        lines = textwrap.wrap(
            text,
            width,
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        out += [name, *(line.replace(INSEPARABLE, " ") for line in lines)]
    return out
