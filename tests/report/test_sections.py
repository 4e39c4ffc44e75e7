"""Parts of the pages of sweeps and of two runs, against counts by hand."""

import json
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from rmlr_lightning.report.comparison_sections import (
    changed_confusions,
    extreme_classes,
    words_of_both,
)
from rmlr_lightning.report.curves import loss_title, training_charts
from rmlr_lightning.report.measures import ClassTable
from rmlr_lightning.report.run_record import read_run
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.report.sweep_order import place_in_sweep
from rmlr_lightning.report.sweep_sections import sweep_classes, sweep_costs
from tests.report.made_up import HOSTILE, make_run, record_of, results
from tests.report.test_html import page_of


def classes(*ap: float) -> ClassTable:
    names = ["ride horse", "eat apple", "never annotated"]
    return ClassTable(names, np.array(ap), np.array([3, 5, 0]), {}, {})


def test_differences_of_classes_are_those_of_means_over_seeds():
    tables = {"a": [classes(0.2, 0.5, 0), classes(0.4, 0.5, 0)], "b": [classes(0.1, 0.9, 0)]}
    found = sweep_classes(tables, "a")
    assert [row["name"] for row in found["ap"]] == ["eat apple", "ride horse"]
    cells = {row["name"]: row["cells"] for row in found["gains"]}
    assert list(cells) == ["eat apple", "ride horse"]  # the largest gain first
    assert cells["eat apple"] == [{"text": "+40.0", "share": 100, "up": True}]
    assert cells["ride horse"] == [{"text": "-20.0", "share": 50, "up": False}]
    assert sweep_classes(tables, None)["gains"] == []


def test_the_cost_of_a_row_is_the_mean_over_its_runs():
    def run(seconds, speeds):
        history = {"cost/images_per_second": list(enumerate(speeds))}
        metrics = {"fit_seconds": seconds}
        return SimpleNamespace(run=SimpleNamespace(metrics=metrics), history=history)

    found = sweep_costs({"a": "A"}, {"a": [run(60.0, [1, 10]), run(120.0, [1, 30])]})
    assert found["heads"] == ["training, min", "images/s"]
    assert found["rows"] == [{"label": "A", "cells": ["1.5", "20.0"]}]


def test_confusions_of_two_runs_are_ordered_by_their_change():
    def run(counts):
        vocabulary = SimpleNamespace(objects=("horse",), verbs=("sit_on", "pet"))
        return SimpleNamespace(
            test=SimpleNamespace(confusion=np.array([counts]), vocabulary=vocabulary)
        )

    found = changed_confusions(run([[5, 2], [7, 1]]), run([[6, 1], [2, 6]]))
    assert [(r["annotated"], r["taken"], r["a"], r["b"]) for r in found["rows"]] == [
        ("pet", "sit on", 7, 2),
        ("sit on", "pet", 2, 1),
    ]
    assert found["right"] == "A: 6 of 15, B: 12 of 15"
    assert changed_confusions(run([[5, 0], [0, 1]]), run([[5, 0], [0, 1]])) is None


def test_largest_gains_and_losses_have_their_own_signs():
    rows = [{"name": n, "change": c, "gain": f"{c:+}"} for n, c in (("x", 3), ("y", 0), ("z", -2))]
    assert extreme_classes(rows) == ["Largest gains: x +3.", "Largest losses: z -2."]


def test_words_of_two_runs_stand_at_one_image(tmp_path):
    paths = [make_run(tmp_path / name, name, 0, record_of(results())) for name in "ab"]
    a, b = (read_run(run) for run in find_runs(paths, "test/map_full").runs)
    (row,) = words_of_both(a, b)
    assert [loss["name"] for loss in row["losses"]] == [
        "A, word alignment after IRE",
        "B, word alignment after IRE",
    ]
    assert row["losses"][0]["words"][0][0] == HOSTILE


def test_a_sweep_has_images_of_its_best_row_twins_and_cost(tmp_path):
    found = {"a": results(worse=True), "b": results()}
    for name in found:
        for seed in (0, 1):
            make_run(tmp_path / "s" / f"{name}{seed}", name, seed, record_of(found[name]))
    page = page_of(tmp_path, tmp_path / "s", options=["--baseline", "a"])
    for text in ("Best and worst images of b, seed 0", "Twins of every row", "training, min"):
        assert text in page.text
    assert "Difference of every class to a" in page.text
    assert {"class-gains", "classes"} <= {a.get("id") for tag, a in page.elements if tag == "table"}


def sweep_text(tmp_path, facts) -> str:
    """The text of a page of the rows a and b, b being the better one, with these words."""
    found = {"a": results(worse=True), "b": results()}
    for name in found:
        record = record_of(found[name])
        record.confusion[0, 0, 1] = 1  # nothing is confused in such a small test
        record = record._replace(facts=record.facts | {"attention": facts[name]})
        make_run(tmp_path / "s" / name, name, 0, record)
    make_run(tmp_path / "s" / "c", "c")
    return page_of(tmp_path, tmp_path / "s").text


def test_a_sweep_has_the_details_of_its_best_row(tmp_path):
    words = record_of(results()).facts["attention"]
    text = sweep_text(tmp_path, {"a": words, "b": words})
    for title in ("Calibration", "mAP by group", "Confused verbs", "Attention over words"):
        assert f"{title} of b, seed 0" in text
    assert "aligns no words" not in text


def test_words_of_a_sweep_are_of_the_best_row_that_has_them(tmp_path):
    words = record_of(results()).facts["attention"]
    text = sweep_text(tmp_path, {"a": words, "b": []})
    assert "Attention over words of a, seed 0" in text
    assert "b aligns no words. This is the row with the highest mean among those that do." in text
    assert "Confused verbs of b, seed 0" in text


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("loss", "total"),
        ("loss_interaction", "interaction"),
        ("loss_word_ire", "word alignment after IRE"),
        ("sentence_irm", "sentence alignment after IRM"),
        ("loss_my_own", "my own"),
    ],
)
def test_terms_of_the_loss_have_words(key, title):
    assert loss_title(key) == title


def test_calibration_error_has_a_chart_of_its_own():
    history = {f"val/{key}": [(1, 0.1)] for key in ("map_full", "ece", "selection_recall")}
    charts = {chart.title: str(chart.svg) for chart in training_charts(history)}
    assert list(charts) == ["Metrics on val (%)", "Calibration error on val, ECE (%)"]
    metrics, errors = charts.values()
    assert "mAP full: 10" in metrics and "probability: 10" in errors


def test_the_chart_of_gradient_norms_names_where_they_are_taken():
    (chart,) = training_charts({"gradient/word_ire": [(1, 0.5)]})
    assert chart.title == "Gradient norm of each loss term at pair tokens and logits"
    assert "word alignment after IRE: 0.5" in chart.svg


def test_unknown_values_come_after_those_of_the_sweep():
    values = {"experiment": ["c", "a"]}
    places = [place_in_sweep([f"experiment={name}"], values) for name in ("a", "b", "c")]
    assert places == [[1], [2], [0]]


def test_a_sweep_has_its_command_once_and_one_to_repeat_each_run(tmp_path):
    names = ("a", "b c", "old")
    folders = [make_run(tmp_path / "s" / name, name) for name in names]
    for folder in folders[:2]:  # the third is of a version that did not write this file
        (folder / ".hydra" / "config.yaml").write_text("seed: 0\n")
    for folder in folders:
        sweep = {"command": f"/bin/rmlr-train -m experiment=a,b '{HOSTILE}'"}
        (folder / "environment.json").write_text(json.dumps(sweep))
    page = page_of(tmp_path, tmp_path / "s")
    typed = f"rmlr-train -m experiment=a,b '{HOSTILE}'"
    assert page.text.count(" ".join(typed.split())) == 1
    (repeats,) = [text for text in page.words if "--from-run" in text]
    assert [shlex.split(line) for line in repeats.splitlines()] == [
        ["rmlr-train", "--from-run", str(folder)] for folder in folders[:2]
    ]


def test_runs_that_were_started_one_by_one_have_their_commands(tmp_path):
    for name in ("a", "b", "c"):
        make_run(tmp_path / "s" / name, name)
    page = page_of(tmp_path, tmp_path / "s")
    assert all(page.text.count(f"rmlr-train experiment={name} '") == 1 for name in "abc")
