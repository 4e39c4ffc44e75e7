"""The table that a run ends with."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rmlr_lightning.errors import printable
from rmlr_lightning.metrics.base import TableRow
from rmlr_lightning.ops.selection_counts import GROUPS, PREFIX, SelectionCounts


def results_table(metrics: Mapping[str, float], rows: Sequence[TableRow], title: str) -> Table:
    """The rows of a run's metrics in percent.

    Values that are missing or NaN (such as the mean over no class) leave their cell empty. Rows and
    columns without any value are left out.

    Args:
        metrics: values in [0, 1] by key.
        rows: their titles, and the key of each cell.
    """
    cells = [(row.title, _cells(metrics, row)) for row in rows]
    cells = [(row_title, values) for row_title, values in cells if values]
    # Rows of different metrics share columns of the same title; a dict keeps their order.
    columns = list(dict.fromkeys(name for _, values in cells for name in values))

    table = Table(title=_text(title), title_justify="left")
    table.add_column("%")
    for name in columns:
        table.add_column(_text(name), justify="right")
    for row_title, values in cells:
        table.add_row(_text(row_title), *(values.get(name, "") for name in columns))
    return table


def _text(name: str) -> str:
    # names of runs and classes are anybody's, and rich reads brackets as markup
    return escape(printable(name))


def _cells(metrics: Mapping[str, float], row: TableRow) -> dict[str, str]:
    """The cells with a value, by column."""
    values = {name: float(metrics.get(key, math.nan)) for name, key in row.columns.items()}
    return {name: f"{100 * value:.2f}" for name, value in values.items() if not math.isnan(value)}


def print_results(metrics: Mapping[str, float], rows: Sequence[TableRow], title: str) -> None:
    """Print the table on standard output, unless it is empty."""
    table = results_table(metrics, rows, title)
    if table.row_count:
        _print(table)


def _print(table: Table) -> None:
    """Print a table below its title, which rich would wrap to the width of the table."""
    title, table.title = table.title, None
    console = Console(width=100, highlight=False)
    console.print(title, style="italic", soft_wrap=True)
    console.print(table)


def print_selection(metrics: Mapping[str, float], split: str) -> None:
    """Print what the selection left of people, objects and true interactions, if it was counted.

    Args:
        metrics: with the keys of `metrics.selection`, with the split as prefix.
    """

    def value(key: str) -> float:
        return metrics[f"{split}/{PREFIX}{key}"]

    if f"{split}/{PREFIX}recall" not in metrics:
        return
    table = Table(title="what the selection leaves (model.selection)", title_justify="left")
    table.add_column("")
    for reason in SelectionCounts._fields:
        table.add_column(reason.replace("_", " "), justify="right")
    for group in (*GROUPS, "entities"):
        if f"{split}/{PREFIX}{group}_selected" in metrics:
            counts = (value(f"{group}_{reason}") for reason in SelectionCounts._fields)
            table.add_row(group, *(f"{count:,.0f}" for count in counts))
    _print(table)

    total, left = value("interactions"), value("recall")
    Console(highlight=False).print(
        f"true interactions that a selected pair matches: {100 * left:.2f} % "
        f"({total * (1 - left):,.0f} of {total:,.0f} are lost; "
        f"{100 * value('recall_detected'):.2f} % without the selection)",
        soft_wrap=True,
    )


def print_reliability(metrics: Mapping[str, float], split: str) -> None:
    """Print the calibration error of probability and score, if it was measured.

    Args:
        metrics: with the keys of `metrics.calibration.Reliability`, with the split as prefix.
    """
    names = {"ece": "of the probability", "ece_score": "of the ranking score"}
    parts = [
        f"{100 * metrics[f'{split}/{key}']:.1f} % {name}"
        for key, name in names.items()
        if f"{split}/{key}" in metrics
    ]
    if parts:
        print(f"calibration error (ECE): {', '.join(parts)}")


def print_classes(
    metrics: Mapping[str, float], rows: Sequence[TableRow], title: str, columns: int = 3
) -> None:
    """Print one row per class, in the order of the classes, several side by side.

    Classes without any value are left out; nothing is printed without classes.

    Args:
        metrics, rows: see `results_table`.
        columns: classes per line.
    """
    found = [(row.title, _cells(metrics, row)) for row in rows]
    found = [(name, cells) for name, cells in found if cells]
    if not found:
        return

    names = list(dict.fromkeys(name for _, cells in found for name in cells))
    table = Table(title=_text(title), title_justify="left")
    for _ in range(min(columns, len(found))):
        table.add_column("%")
        for name in names:
            table.add_column(_text(name), justify="right")
    # down the first column, then down the next, as an index is read
    lines = -(-len(found) // columns)
    for line in range(lines):
        parts = found[line::lines]
        table.add_row(
            *(
                text
                for name, cells in parts
                for text in (_text(name), *(cells.get(n, "") for n in names))
            )
        )
    _print(table)
