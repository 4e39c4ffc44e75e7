"""The HTML page: what it states, that all text is escaped, and that it needs nothing else."""

import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from rmlr_lightning.cli.report import main
from rmlr_lightning.report.cells import difference
from rmlr_lightning.report.image_cards import most_changed
from rmlr_lightning.report.percent import decimals
from rmlr_lightning.report.run_record import mean_history, read_history
from rmlr_lightning.report.seed_statistics import Spread
from rmlr_lightning.scoring.bootstrap import intervals, paired, paired_ratio, ratio_interval
from tests.report.made_up import HOSTILE, make_run, record_of, results

VOID = {"meta", "link", "img", "input", "br"}
DRAWS = 100


class Page(HTMLParser):
    """The elements of a page, its text, and whether all of them are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(tmp_path, *paths, options=()) -> Page:
    out = tmp_path / "page.html"
    argv = [*map(str, paths), "--html", str(out), "--overwrite", "--bootstrap", str(DRAWS)]
    main([*argv, *options])
    page = Page(out.read_text(encoding="utf-8"))
    assert not page.open
    return page


@pytest.fixture(scope="module")
def records():
    return [record_of(results(worse)) for worse in (False, True)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, records):
    parent = tmp_path_factory.mktemp("runs")
    return [
        make_run(parent / folder, name, 0, record)
        for folder, name, record in zip("ab", ("visual", HOSTILE), records, strict=True)
    ]


def test_the_page_of_a_run_starts_with_its_metric_and_interval(runs, records, tmp_path):
    page = page_of(tmp_path, runs[0])
    found = intervals(records[0].matched["default"], DRAWS)["full"]
    value, low, high = (f"{100 * x:.1f}" for x in found[:3])
    assert f"mAP full: {value} %, 95 % interval {low} to {high}." in page.text
    for text in ("Types of error", "Attention over words", "1.2 min", "1 h 06 min", "abc1234def"):
        assert text in page.text
    names = {attributes["id"] for tag, attributes in page.elements if tag == "h2"}
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    assert {link[1:] for link in links} <= names | {"main"}


def test_detector_text_encoder_and_feature_caches_of_a_run_are_named(runs, tmp_path):
    text = page_of(tmp_path, runs[0]).text
    assert f"detector SHA-256 {'d' * 64} text encoder SHA-256 {'e' * 64}" in text
    assert f"feature cache {'1' * 12} train, view 0 feature cache {'2' * 12} train, view 1" in text


def test_a_text_encoder_of_the_hub_has_its_id_and_revision(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "environment.json").write_text(json.dumps({"text_encoder": "bert@main"}))
    assert "text encoder bert@main" in page_of(tmp_path, run).text


@pytest.mark.fault
@pytest.mark.parametrize("features", [5, ["1"], {"train": 5}, {"train": [5, None]}])
def test_damaged_records_of_caches_and_encoders_are_no_mistake_of_the_page(features, tmp_path):
    run = make_run(tmp_path / "run")
    environment = {"text_encoder": 5, "features": features}
    (run / "environment.json").write_text(json.dumps(environment))
    assert "text encoder SHA-256 5" in page_of(tmp_path, run).text


def test_calibration_has_its_errors_before_and_after_and_a_diagram(runs, tmp_path):
    page = page_of(tmp_path, runs[0])
    assert "ranking score 2.1 4.6 before calibration" in page.text
    assert "probability - 1.2 after calibration" in page.text
    (label,) = [a["aria-label"] for tag, a in page.elements if "Reliability" in str(a)]
    # 2 of 40 detections of the first bin are true, 1 of 10 of the fourth
    first, fourth = "0 to 7 %: 40 detections, 5.0 % true", "20 to 27 %: 10 detections, 10.0 % true"
    assert label == f"Reliability of the ranking score on test: {first}; {fourth}"
    assert "0 to 7 40 3.0 5.0" in page.text


def test_the_page_of_two_runs_tells_whether_the_difference_is_real(runs, records, tmp_path):
    found = paired(*(record.matched["default"] for record in records), DRAWS)["full"]
    assert found.high < 0  # the second ranks its true pairs last
    page = page_of(tmp_path, *runs)
    gain, low, high = (f"{100 * x:+.1f}" for x in (found.gain, found.low, found.high))
    heading = f"B is worse than checkpoint A: {gain} mAP full [{low}, {high}]."
    assert f"On these test images checkpoint {heading} How other seeds" in page.text
    # the first path is A, unless a baseline is named
    again = page_of(tmp_path, *runs, options=["--baseline", HOSTILE])
    assert f"B is better than checkpoint A: {-100 * found.gain:+.1f} mAP full" in again.text


def test_two_equal_runs_do_not_differ(records, tmp_path):
    runs = [make_run(tmp_path / name, name, 0, records[0]) for name in ("a", "b")]
    page = page_of(tmp_path, *runs)
    assert "no difference between the two checkpoints is shown: +0.0" in page.text


def test_a_sweep_has_its_rows_verdicts_and_classes(records, tmp_path):
    for seed in (0, 1, 2):
        make_run(tmp_path / "sweep" / f"a{seed}", "a", seed, records[0])
        metrics = make_run(tmp_path / "sweep" / f"b{seed}", "b", seed, records[1]) / "metrics.json"
        values = json.loads(metrics.read_text())
        values["test/map_full"] += 0.001 * seed  # equal differences have no interval
        metrics.write_text(json.dumps(values))
    page = page_of(tmp_path, tmp_path / "sweep", options=["--baseline", "a"])
    assert "b is worse than a: Student's 95 % interval over 3 seeds." in page.text
    assert "significant." in page.text
    assert ("div", {"class": "verdict bad"}) in page.elements  # a loss is not green
    assert "mean of the seeds" in page.text and "b_b sandwich" not in page.text
    assert page.text.count("abc1234") >= 6  # the commit of every run


def sweep_of(parent, gains):
    """Two seeds of a row `a`, and of rows that differ from it by so much; None: no such run."""
    for seed in (0, 1):
        for name, differences in {"a": (0.0, 0.0), **gains}.items():
            if differences[seed] is None:
                continue
            path = make_run(parent / f"{name}{seed}", name, seed) / "metrics.json"
            path.write_text(json.dumps({"test/map_full": 0.5 + differences[seed]}))
    return parent


def test_rows_that_do_not_differ_are_not_called_real(tmp_path):
    page = page_of(tmp_path, sweep_of(tmp_path / "s", {"b": (-0.1, 0.2)}), options=["--baseline=a"])
    assert "No difference between b and a is shown: Student's" in page.text
    assert "real" not in page.text.partition("use strict")[0]
    assert ("div", {"class": "verdict "}) in page.elements


def test_gains_and_losses_are_counted_and_have_no_colour(tmp_path):
    sweep = sweep_of(tmp_path / "s", {"b": (0.1, 0.101), "c": (-0.1, -0.101), "d": (-0.1, 0.2)})
    page = page_of(tmp_path, sweep, options=["--baseline", "a"])
    assert "2 of 3 rows differ from a (1 better, 1 worse)" in page.text
    assert "over 2 seeds, not corrected for 3 comparisons" in page.text
    assert ("div", {"class": "verdict "}) in page.elements


def test_without_any_interval_nothing_was_tested(tmp_path):
    one_seed = {"b": (-0.17, None), "c": (0.1, None)}
    page = page_of(tmp_path, sweep_of(tmp_path / "s", one_seed), options=["--baseline", "a"])
    why = "No difference was tested: an interval takes two seeds or more that both rows have."
    assert f"{why} The largest: b - a, -17.0 mAP." in page.text
    assert "differ from" not in page.text and ("div", {"class": "verdict "}) in page.elements


def test_equal_differences_were_not_tested_either(tmp_path):
    page = page_of(
        tmp_path, sweep_of(tmp_path / "s", {"b": (0.25, 0.25)}), options=["--baseline=a"]
    )
    assert "differences that are the same with every seed have no interval" in page.text


def test_rows_without_an_interval_are_counted_apart(tmp_path):
    sweep = sweep_of(tmp_path / "s", {"b": (0.1, 0.101), "c": (0.3, None)})
    page = page_of(tmp_path, sweep, options=["--baseline", "a"])
    assert "b is better than a: Student's 95 % interval" in page.text
    assert "over 2 seeds. 1 more without an interval." in page.text


def test_a_bound_near_0_has_the_decimals_that_its_verdict_needs():
    bounds = Spread((0, 1), -0.004, 0.0002, -0.0078, -0.0003)
    assert difference(bounds) == "**-0.40 [-0.78, -0.03]**"
    assert decimals((bounds.low, bounds.high)) == 2 and decimals((-0.0078, 0.003)) == 1
    assert decimals((0.0, 0.01)) == 1 and decimals((math.nan, math.nan)) == 1


def test_rows_have_the_order_of_the_sweep(tmp_path, capsys):
    sweep = tmp_path / "sweep"
    for name in ("a", "b", "c"):
        for seed in (0, 1):
            make_run(sweep / f"{name}{seed}", name, seed)
    params = {"seed": "0,1", "experiment": "c, a"}
    hydra = {"sweeper": {"params": params}, "overrides": {"task": []}}
    (sweep / "multirun.yaml").write_text(yaml.safe_dump({"hydra": hydra}))
    main([str(sweep)])
    rows = re.findall(r"^│ (\w) +│ +0, 1", capsys.readouterr().out, re.MULTILINE)
    assert rows == ["c", "a", "b"]  # b was not in the last sweep


def test_all_text_is_escaped_and_no_other_file_is_named(runs, tmp_path):
    for paths in (runs[:1], runs):
        page = page_of(tmp_path, *paths)
        assert sum(tag == "script" for tag, _ in page.elements) == 1
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert "<script>alert" not in text and HOSTILE in page.text
        for tag, attributes in page.elements:
            assert not any(name.startswith("on") for name in attributes), tag
            for name in ("src", "href"):
                assert attributes.get(name, "#").startswith(("#", "data:")), (tag, name)
        assert not re.search(r"url\(|@import|https?://", text)
        assert len(text) < 5_000_000


def test_a_run_without_a_record_has_a_page_of_what_is_left(tmp_path):
    page = page_of(tmp_path, make_run(tmp_path / "old"))
    assert "mAP full: 25.0 %." in page.text and "kept no test_record.npz" in page.text


@pytest.mark.fault
def test_runs_that_were_tested_on_other_images_are_not_compared(runs, tmp_path, capsys):
    other = make_run(tmp_path / "other", "other", 0, record_of(results(images=9)))
    with pytest.raises(SystemExit) as caught:
        main([str(runs[0]), str(other), "--html", str(tmp_path / "page.html")])
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert "tested on different images, annotations or classes" in printed.err
    assert printed.out == ""
    assert not (tmp_path / "page.html").exists()


@pytest.mark.fault
def test_a_damaged_record_is_one_line_that_names_it(records, tmp_path, capsys):
    run = make_run(tmp_path / "run", record=records[0])
    (run / "test_record.npz").write_bytes(b"PK damaged")
    with pytest.raises(SystemExit) as caught:
        main([str(run), "--html", str(tmp_path / "page.html")])
    assert caught.value.code == 2 and "test_record.npz: " in capsys.readouterr().err


def test_the_images_that_changed_most_are_gains_and_losses(records, tmp_path):
    class Run:
        def __init__(self, ap):
            self.test = records[0]._replace(image_ap=np.array(ap))

    a, b = Run([0.5, 0.2, np.nan, 1.0, 0.5]), Run([0.6, 0.9, np.nan, 0.1, 0.5])
    assert most_changed(a, b) == [
        (1, pytest.approx(0.7)),
        (0, pytest.approx(0.1)),
        (3, pytest.approx(-0.9)),
    ]


def test_curves_of_a_resumed_run_are_joined(tmp_path):
    for version, lines in (("0", "0,2.0\n1,1.5\n"), ("1", "1,1.4\n2,1.0\n")):
        folder = tmp_path / f"version_{version}"
        folder.mkdir()
        (folder / "metrics.csv").write_text("epoch,train/loss\n" + lines)
    history = read_history(tmp_path)
    assert history == {"train/loss": [(1, 2.0), (2, 1.4), (3, 1.0)]}
    other = {"train/loss": [(2, 1.6), (3, 2.0)]}
    assert mean_history([history, other], "train/loss") == [(2, 1.5), (3, 1.5)]


def test_ratios_are_drawn_as_repeated_images():
    right, found = np.array([1.0, 0.0, 2.0, 1.0]), np.array([1.0, 1.0, 2.0, 2.0])
    interval = ratio_interval(right, found, 400)
    assert interval.value == pytest.approx(4 / 6) and interval.low < 4 / 6 < interval.high
    same = paired_ratio((right, found), (right, found), 400)
    assert (same.gain, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
