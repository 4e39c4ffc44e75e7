"""Tables of a report on terminals of any width."""

import io

import pytest
from rich.console import Console

from rmlr_lightning.report.rows import Report, make_report
from rmlr_lightning.report.runs_csv import Run
from rmlr_lightning.report.screen import print_report

LONG = "rmlr, alignment.sentence.weight=0.03, alignment.word.weight=0.1"


@pytest.fixture
def report(tmp_path) -> Report:
    """Two rows of three seeds, with all metrics of the synthetic benchmark."""
    runs = []
    for row in ("visual", LONG):
        for seed in range(3):
            keys = ("map_full", "map_rare", "map_non_rare", "twin_accuracy")
            metrics = {f"test/{key}": 0.3 + 0.01 * seed * len(row) for key in keys}
            costs = {"fit_seconds": 60.0, "cpu_seconds": 90.0}
            runs.append(Run(row, row, None, seed, tmp_path, None, metrics | costs))
    return make_report(runs, "test", baseline="visual")


def printed(report: Report, width: int) -> list[str]:
    file = io.StringIO()
    print_report(report, "Results", Console(file=file, width=width))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 160, 300])
def test_no_word_of_a_table_is_broken(width, report):
    lines = printed(report, width)
    words = [word for line in lines for word in line.replace("│", " ").split()]
    for name in (*LONG.split(), "non-rare", "twins", "visual", "seeds"):
        assert name in words
    assert all(len(line) <= width for line in lines if LONG not in line)


def test_a_wide_terminal_has_a_line_for_each_row(report):
    row = next(line for line in printed(report, 300) if line.startswith(f"│ {LONG} "))
    assert row.count("│") == 10


def test_a_narrow_terminal_has_all_values_below_the_name_of_their_row(report):
    lines = printed(report, 80)
    text = " ".join(lines[lines.index(LONG) + 1 : lines.index(LONG) + 4])
    assert " seeds 0, 1, 2   full 93.0 ± 63.0   rare 93.0 ± 63.0 " in text
    assert "fit min 1.0" in text and "CPU min 1.5" in text
