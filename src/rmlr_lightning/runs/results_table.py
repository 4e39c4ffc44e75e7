"""The table that a run ends with."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

ROWS = {
    "Default": "map",
    "Known Object": "known_object_map",
}


def results_table(metrics: Mapping[str, float], split: str, title: str) -> Table:
    """mAP full / rare / non-rare in percent, and the accuracy on twins where there are any."""
    table = Table(title=title, title_justify="left")
    for column in ("mAP (%)", "full", "rare", "non-rare"):
        table.add_column(column, justify="left" if column.startswith("mAP") else "right")
    for name, key in ROWS.items():
        cells = [metrics.get(f"{split}/{key}_{part}") for part in ("full", "rare", "non_rare")]
        if None not in cells:
            table.add_row(name, *(f"{100 * cell:.2f}" for cell in cells))
    if f"{split}/twin_accuracy" in metrics:
        table.add_section()
        table.add_row("accuracy on twins", f"{100 * metrics[f'{split}/twin_accuracy']:.2f}", "", "")
    return table


def print_results(metrics: Mapping[str, float], split: str, title: str) -> None:
    """On standard output."""
    Console(width=100, highlight=False).print(results_table(metrics, split, title))
