import math

import pytest

from rmlr_lightning.metrics.base import TableRow
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP
from rmlr_lightning.runs.results_table import (
    print_classes,
    print_results,
    print_selection,
    results_table,
)
from rmlr_lightning.vocabulary import COCO_OBJECTS


def cells(table) -> dict[str, dict[str, str]]:
    """Row title -> column -> value, of what is printed."""
    columns = {column.header: list(column.cells) for column in table.columns}
    titles = columns.pop("%")
    rows = range(len(titles))
    return {titles[row]: {name: columns[name][row] for name in columns} for row in rows}


ROWS = (
    TableRow("Default", {"full": "val/map_full", "rare": "val/map_rare"}),
    TableRow("Known Object", {"full": "val/known_object_map_full"}),
    TableRow("Images", {"per second": "val/speed"}),
)


def test_rows_and_columns_are_those_of_the_metrics():
    metrics = {"val/map_full": 0.5, "val/map_rare": 0.12345, "val/speed": 0.01}
    assert cells(results_table(metrics, ROWS, "title")) == {
        "Default": {"full": "50.00", "rare": "12.35", "per second": ""},
        "Images": {"full": "", "rare": "", "per second": "1.00"},
    }


def test_a_mean_over_no_class_has_no_column():
    metrics = {"val/map_full": 0.5, "val/map_rare": math.nan}
    assert cells(results_table(metrics, ROWS, "title")) == {"Default": {"full": "50.00"}}


def test_a_run_on_vcoco_shows_scenarios_and_agent():
    rows = (*HICODetMeanAP.table, *VCOCORoleAP.table)
    keys = {"role_ap_s1": 0.6, "role_ap_s2": 0.7, "agent_ap": 0.8, "map_full": 0.4}
    table = cells(results_table(keys | {"map_rare": math.nan}, rows, "title"))
    assert list(table) == ["Default", "Scenario 1", "Scenario 2", "Agent"]
    assert table["Scenario 2"]["24 roles"] == "70.00"
    assert "rare" not in table["Default"]


def test_nothing_is_printed_without_values(capsys):
    print_results({}, ROWS, "title")
    assert capsys.readouterr().out == ""
    print_results({"val/map_full": 0.5}, ROWS, "title")
    assert "50.00" in capsys.readouterr().out


def test_the_widest_table_fits_100_columns(capsys):
    rows = (*HICODetMeanAP.table, *VCOCORoleAP.table)
    print_results({key: 0.5 for row in rows for key in row.columns.values()}, rows, "title")
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert max(len(line) for line in printed.splitlines()) <= 100


def test_a_title_longer_than_its_table_stays_on_one_line(capsys):
    title = "outputs/a_run_with_a_long_name/" + "checkpoints/" * 9 + "best.ckpt on test"
    print_results({"val/map_full": 0.5}, ROWS, title)
    assert capsys.readouterr().out.splitlines()[0] == title


def test_classes_stand_side_by_side_in_their_order(capsys):
    names = ["person", "robot arm", "cup", "never there", "car"]
    rows = [TableRow(name, {"AP": f"ap_{name}", "AP50": f"ap50_{name}"}) for name in names]
    values = {f"ap_{name}": i / 10 for i, name in enumerate(names) if name != "never there"}
    values |= {f"ap50_{name}": 0.5 for name in names[:2]}
    print_classes(values, rows, "per class", columns=2)
    printed = capsys.readouterr().out
    assert "never there" not in printed
    lines = [line.split() for line in printed.splitlines() if "person" in line or "robot" in line]
    assert lines[0][1:-1] == ["person", "│", "0.00", "│", "50.00", "│", "cup", "│", "20.00", "│"]
    assert "40.00" in lines[1] and "robot" in lines[1]


def test_eighty_classes_take_27_lines_of_at_most_100_columns(capsys):
    rows = [TableRow(name, {"AP": name, "AP50": name}) for name in COCO_OBJECTS]
    print_classes(dict.fromkeys(COCO_OBJECTS, 0.5), rows, "per class")
    lines = capsys.readouterr().out.splitlines()
    assert sum("50.00" in line for line in lines) == 27
    assert max(map(len, lines)) <= 100
    print_classes({}, rows, "per class")
    assert capsys.readouterr().out == ""


@pytest.mark.fault
def test_brackets_in_the_name_of_a_file_or_class_are_no_markup(capsys):
    rows = [TableRow("[bold]ride [/x] bike", {"[a]": "k"})]
    print_results({"k": 0.5}, rows, "seed=[1]/[/b].ckpt on test")
    print_classes({"k": 0.5}, rows, "[per] class")
    printed = capsys.readouterr().out
    for text in ("seed=[1]/[/b].ckpt on test", "[bold]ride [/x] bike", "[a]", "[per] class"):
        assert text in printed


def test_the_selection_has_a_table_of_its_own(capsys):
    counts = {"detected": 30, "duplicates": 2, "low_score": 10, "over_limit": 3, "selected": 15}
    values = {f"test/selection_people_{name}": count for name, count in counts.items()}
    values |= {"test/selection_interactions": 200, "test/selection_recall": 0.94}
    print_selection(values | {"test/selection_recall_detected": 0.97}, "test")
    printed = capsys.readouterr().out
    assert "people" in printed and "objects" not in printed
    assert "94.00 % (12 of 200 are lost; 97.00 % without the selection)" in printed
    print_selection({"test/map_full": 0.5}, "test")
    assert capsys.readouterr().out == ""
