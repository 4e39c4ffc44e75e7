"""Charts of pages: what is drawn, what is read under the pointer, and that pages can hold them."""

import math
import re
from xml.etree import ElementTree

import matplotlib
import pytest

from rmlr_lightning.report.charts import Bar, Chart, curves_chart, forest_chart, reliability_chart
from rmlr_lightning.report.inline_svg import VARIABLES
from tests.report.made_up import HOSTILE

CURVES = {"a": [(1, 2.0), (2, 1.23456), (4, 1.0)], "b": [(2, 0.5)]}


def drawn(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(str(chart.svg))


def texts(chart: Chart) -> list[str]:
    return [part.text for part in drawn(chart).iter("text")]


def readings(chart: Chart) -> dict[str, tuple[float, float]]:
    """What is read under the pointer, and from where to where."""
    found = {}
    for part in drawn(chart).iterfind(".//g[@class='reading']"):
        numbers = [float(x) for x in re.findall(r"[\d.]+", part.find("path").attrib["d"])]
        found[part.find("title").text] = min(numbers[::2]), max(numbers[::2])
    return found


def points(chart: Chart) -> list[float]:
    """Where markers lie."""
    return [float(part.attrib["x"]) for part in drawn(chart).iter("use")]


def strokes(chart: Chart) -> set[tuple[str, str]]:
    """Colour and dashes of all curves."""
    styles = [part.attrib.get("style", "") for part in drawn(chart).iter("path")]
    found = [re.search(r"(?:dasharray: ([\d., ]+).*)?stroke: (var\(--c\d\))", s) for s in styles]
    return {(match[2], match[1]) for match in found if match}


def test_no_two_curves_of_a_chart_have_the_same_stroke():
    chart = curves_chart("loss", {f"row {n}": [(1, n), (2, 2 * n)] for n in range(20)})
    assert len(strokes(chart)) == 20
    assert len({colour for colour, _ in strokes(chart)}) == 8


def test_a_name_has_the_same_colour_in_several_charts():
    names = ["total", "verbs"]
    both = curves_chart("loss", {"total": [(1, 2.0), (2, 1.0)], "verbs": [(1, 1.0), (2, 0.5)]})
    one = curves_chart("norm", {"verbs": [(1, 2.0), (2, 1.0)]}, names)
    assert strokes(one) < strokes(both) and strokes(one) == {("var(--c1)", None)}


def test_small_terms_are_seen_beside_large_ones():
    def drawn_with(by_size, small):
        curves = {"a": [(1, 2.0), (2, 1.0)], "b": [(1, small), (2, small / 2)]}
        return curves_chart("loss", curves, by_size=by_size)

    assert {"logarithmic", "0.1", "1"} <= set(texts(drawn_with(True, 0.02)))
    assert "logarithmic" not in texts(drawn_with(False, 0.02))
    assert "logarithmic" not in texts(drawn_with(True, 1.0))
    assert "logarithmic" not in texts(drawn_with(True, 0.0))  # 0 has no logarithm


def test_under_the_pointer_a_chart_has_the_values_of_all_curves():
    strips = readings(curves_chart("loss", CURVES))
    assert list(strips) == ["epoch 1\na: 2", "epoch 2\na: 1.23\nb: 0.5", "epoch 4\na: 1"]
    (left, first), (second, third), (fourth, right) = strips.values()
    # half-way from 1 to 2, and from 2 to 4
    assert first == second == pytest.approx(left + (right - left) / 6, abs=0.02)
    assert third == fourth == pytest.approx(left + (right - left) * 2 / 3, abs=0.02)


def test_a_long_training_has_values_at_50_epochs():
    assert len(readings(curves_chart("loss", {"a": [(n, n) for n in range(1000)]}))) == 50


def test_the_legend_names_each_curve_with_its_last_value():
    assert {"a: 1", "b: 0.5"} <= set(texts(curves_chart("loss", CURVES)))
    assert curves_chart("loss", CURVES).svg.count("loss: a: 1; b: 0.5") == 1  # for screen readers


def test_a_curve_of_one_point_is_a_dot():
    assert len(points(curves_chart("loss", {"a": [(1, 2.0)]}))) == 2  # one of them in the legend
    assert not points(curves_chart("loss", {"a": [(1, 2.0), (2, 1.0)]}))


def test_epochs_are_whole_numbers():
    labels = texts(curves_chart("loss", {"a": [(1, 2.0), (2, 1.0)]}))
    assert labels[:3] == ["1", "2", "epoch"]


@pytest.mark.parametrize("draw", [curves_chart, lambda *args: forest_chart(*args, "%")])
def test_without_values_there_is_no_chart(draw):
    assert draw("nothing", {} if draw is curves_chart else []) is None


def test_a_bar_has_its_interval_and_seeds():
    chart = forest_chart("mAP", [Bar("row", 50.0, 48.0, 53.0, (49.0, 52.0))], "%")
    (text,) = readings(chart)
    assert text == "row: 50.00, 95 % interval 48.00 to 53.00, seeds 49.00, 52.00"
    low, high, *seeds, middle = points(chart)
    scale = (high - low) / 5.0  # pixels of a point of mAP
    assert middle == pytest.approx(low + 2 * scale, abs=0.02)
    assert seeds == pytest.approx([low + scale, low + 4 * scale], abs=0.02)


def test_a_row_without_a_value_has_its_name_only():
    chart = forest_chart("mAP", [Bar("unknown", math.nan), Bar("known", 1.0)], "%")
    assert {"unknown", "known"} <= set(texts(chart))
    assert list(readings(chart)) == ["known: 1.00"] and len(points(chart)) == 1


def test_the_marks_take_the_whole_width_whether_there_are_seeds_or_not():
    for seeds in ((), (50.0, 60.0)):
        chart = forest_chart("mAP", [Bar("row", 55.0, 50.0, 60.0, seeds)], "%")
        (left, right), *_ = readings(chart).values()
        assert left < 10 and right > 370


def test_small_differences_are_seen_beside_large_ones():
    bars = [Bar(str(value), value) for value in (-30.0, -0.5, 0.4)]
    large, low, high = points(forest_chart("gain", bars, "points", 0.0, is_difference=True))
    assert large < low < high
    # on a linear scale these two would be 3 % of the width apart
    assert high - low > 0.07 * 380
    chart = forest_chart("gain", bars, "points", 0.0, is_difference=True)
    assert "points, logarithmic beyond ±2" in texts(chart)


def test_an_interval_of_two_seeds_does_not_stretch_the_scale_beyond_0_and_100():
    wide, inside = Bar("wide", 50.0, -30.0, 130.0), Bar("inside", 50.0, 0.0, 100.0)
    chart = forest_chart("mAP", [wide, inside], "%", limits=(0, 100))
    numbers = [float(text) for text in texts(chart) if re.fullmatch(r"[\u2212\d.]+", text)]
    assert min(numbers) == 0 and max(numbers) == 100
    low, high, _, *rest = points(chart)
    assert rest[:2] == [low, high]  # both end at the limits, the first with arrows
    assert "wide: 50.00, 95 % interval -30.00 to 130.00" in readings(chart)


def test_chance_is_part_of_the_scale():
    chart = forest_chart("twins", [Bar("row", 80.0)], "%", include=50.0)
    assert "50" in texts(chart)


def test_a_reliability_diagram_has_a_bar_for_each_bin():
    chart = reliability_chart("score", "score", [(0.0, 25.0, 5.0, 40), (75.0, 100.0, 80.0, 1)])
    assert list(readings(chart)) == [
        "0 to 25 %: 40 detections, 5.0 % true",
        "75 to 100 %: 1 detection, 80.0 % true",
    ]


@pytest.mark.parametrize("name", [HOSTILE, "_private", "$x^2$", "\\frac", "猫", "a" * 300, ""])
def test_names_are_drawn_as_they_are(name):
    for chart in (
        curves_chart("loss", {name: [(1, 2.0), (2, 1.0)]}),
        forest_chart("mAP", [Bar(name, 1.0)], "%"),
    ):
        letters = "".join("".join(texts(chart)).split())
        assert "".join(name.split()) in letters
        assert f"{name}: 1" in next(iter(reversed(readings(chart))))


def test_characters_that_no_page_can_hold_are_replaced():
    chart = curves_chart("loss", {"a\x00\ud800b": [(1, 2.0)]})
    assert "a��b: 2" in texts(chart)


def test_a_chart_has_the_colours_and_the_font_of_its_page():
    svg = str(curves_chart("loss", CURVES).svg) + str(forest_chart("m", [Bar("a", 1.0)], "%").svg)
    assert not re.search(r"#[0-9a-f]{6}\b", svg) and "DejaVu" not in svg
    assert set(re.findall(r"var\((.*?)\)", svg)) <= set(VARIABLES.values())
    assert "<style" not in svg and "url(" not in svg and "http" not in svg


def test_parts_of_two_charts_have_different_names():
    charts = [forest_chart(name, [Bar("a", 1.0)], "%") for name in ("mAP", "twins")]
    first, second = (set(re.findall(r' id="(.*?)"', str(chart.svg))) for chart in charts)
    assert first and second and not first & second
    for chart in charts:
        used = {part.attrib["href"].lstrip("#") for part in drawn(chart).iter("use")}
        assert used <= set(re.findall(r' id="(.*?)"', str(chart.svg)))


def test_the_same_curves_make_the_same_chart_and_leave_no_settings_behind():
    before = dict(matplotlib.rcParams)
    assert curves_chart("loss", CURVES) == curves_chart("loss", CURVES)
    assert dict(matplotlib.rcParams) == before


def test_the_chart_of_an_ablation_is_small():
    rows = {f"row {n}": [(e, n + 1 / e) for e in range(1, 61)] for n in range(11)}
    assert len(str(curves_chart("loss", rows).svg)) < 60_000
