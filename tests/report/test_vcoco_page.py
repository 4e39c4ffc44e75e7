"""The HTML page of runs on V-COCO, against numbers that are worked out by hand (made_up_vcoco)."""

import html
import json
import re
from pathlib import Path

import pytest

from rmlr_lightning.report.sections import breakdowns, class_rows
from tests.report import made_up_vcoco
from tests.report.made_up import make_run
from tests.report.test_bar_cells import ends
from tests.report.test_html import Page, page_of

# one third is the share of a positive of `hold-obj`
AP_1, AP_2 = 1 / 3 + 1 / 3 * 2 / 3, 1 / 3 + 2 / 3 * 3 / 4


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    parent = tmp_path_factory.mktemp("runs")
    found = {"first": made_up_vcoco.FOUND, "better": made_up_vcoco.BETTER}
    return [make_run(parent / name, name, 0, made_up_vcoco.record(found[name])) for name in found]


@pytest.fixture(scope="module")
def run_page(runs, tmp_path_factory) -> tuple[Page, str]:
    folder = tmp_path_factory.mktemp("page")
    page = page_of(folder, runs[0])
    return page, (folder / "page.html").read_text(encoding="utf-8")


def table(text: str, section: str) -> list[list[str]]:
    """The cells of the first table of a section, without empty ones."""
    part = text.partition(f'<h2 id="{section}">')[2].partition("</table>")[0]
    rows = [
        re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in part.split("<tr>")
    ]
    plain = [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in row] for row in rows]
    return [[cell for cell in row if cell] for row in plain if row]


def test_the_metrics_are_role_ap_of_both_scenarios_and_agents(run_page):
    """Two of the 24 roles have positives, and `sit-instr` is never found."""
    page, text = run_page
    rows = {row[0]: row[1] for row in table(text, "metrics")[1:]}
    assert rows == {
        "role AP, Scenario 1": f"{100 * AP_1 / 2:.1f}",
        "role AP, Scenario 2": f"{100 * AP_2 / 2:.1f}",
        # hold is found with all of its persons; sit, smile and point are not
        "agent AP": "25.0",
    }
    assert f"role AP, Scenario 1: {100 * AP_1 / 2:.1f} %, 95 % interval" in page.text


def test_each_role_has_a_bar_with_its_name_both_scenarios_and_its_positives(run_page):
    _, text = run_page
    head, *rows = table(text, "per-class")
    assert head == ["class", "Scenario 1 %", "Scenario 2 %", "0 to 100 %", "annotated"]
    assert rows == [
        ["hold-obj", f"{100 * AP_1:.1f}", f"{100 * AP_2:.1f}", "3"],
        ["sit-instr", "0.0", "0.0", "1"],
        ["point-instr not in the mean", "0.0", "0.0", "1"],
    ]
    bars = re.findall(r'<svg class="bar".*?</svg>', text.partition("per-class")[2])
    assert [ends(bar)[1] for bar in bars[:3]] == [pytest.approx(200 * AP_1, abs=0.01), 0, 0]


def test_errors_are_counted_by_hand(run_page):
    page, text = run_page
    rows = {row[0]: row[-2:] for row in table(text, "errors")[1:]}
    # false detections and missed pairs of (verb, object) classes
    assert rows == {
        "missed human": ["0", "0"],
        "missed object": ["1", "0"],  # the cup elsewhere
        "pairing": ["0", "0"],
        # lay on the couch costs nothing, because nothing is annotated so; sit on it is missed
        "wrong verb": ["0", "1"],
        "duplicate": ["0", "0"],
    }
    assert "wrong verb (the pair is right, the verb is not): it costs 0.4 mAP of verb-object" in (
        page.text
    )
    assert "judged as in HICO-DET" in page.text


def test_sections_without_content_are_absent(run_page):
    page, text = run_page
    assert "twin" not in page.text.partition("use strict")[0].lower()
    assert "Attention over words" not in text
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert "#words" not in links and "#per-class" in links
    # no HOI of V-COCO is rare: all would be one group
    assert "By rarity" not in page.text and "By verb (2)" in page.text


def test_the_best_and_the_worst_image_have_their_pairs_and_verdicts(run_page):
    _, text = run_page
    shots = re.findall(r'<figure class="shot">(.*?)</figure>', text, re.DOTALL)
    plain = [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", shot)).split()) for shot in shots]
    # images with annotated pairs: of three the middle one is in neither list
    assert len(plain) == 2
    assert "000000000000.jpg" in plain[0] and "AP of the image 100 %" in plain[0]
    assert plain[0].endswith("hold obj cup annotated hold obj cup 0.90 true")
    assert "000000000002.jpg" in plain[1] and "AP of the image 0 %" in plain[1]
    assert "sit instr couch annotated" in plain[1] and "lay instr couch 0.50 false" in plain[1]


def test_two_runs_are_compared_by_scenario_1(runs, tmp_path):
    page = page_of(tmp_path, *runs)
    gain = 100 * (2 / 3 - AP_1) / 2  # the better one finds true, true, false
    assert f"{gain:+.1f} role AP, Scenario 1 [" in page.text
    assert "mAP full" not in page.text and "judged as in HICO-DET" in page.text
    _, *rows = table((tmp_path / "page.html").read_text(encoding="utf-8"), "per-class")
    assert rows[0][:4] == ["hold-obj", f"{100 * AP_1:.1f}", "66.7", f"{2 * gain:+.1f}"]


def test_a_sweep_is_judged_by_scenario_1(tmp_path):
    """Not by the mAP that the runs have, too."""
    for seed in (0, 1):
        for name, found in (("a", made_up_vcoco.FOUND), ("b", made_up_vcoco.BETTER)):
            run = make_run(tmp_path / f"{name}{seed}", name, seed, made_up_vcoco.record(found))
            values = json.loads((run / "metrics.json").read_text())
            values["test/role_ap_s1"] += 0.001 * seed * (name == "b")  # else no interval
            (run / "metrics.json").write_text(json.dumps(values))
    page = page_of(tmp_path, tmp_path, options=["--baseline", "a"])
    assert "b is better than a: Student's" in page.text and "scenario 1" in page.text
    assert "point-instr not in the mean" in page.text


def test_rows_and_groups_keep_what_is_annotated(runs):
    class Run:
        test = made_up_vcoco.record()

    assert [row["truth"] for row in class_rows(Run)] == [3, 1, 1]
    assert {row["name"]: row["positives"] for row in breakdowns(Run)["object"]} == {
        "cup": 2,
        "couch": 1,
    }
