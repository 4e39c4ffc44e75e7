"""The pages for people who read by ear, by keyboard, or with little contrast.

axe-core, which `RMLR_AXE` points to, judges the pages as a browser shows them. Without it the
structure and the colours are still checked.
"""

import re
from itertools import pairwise
from pathlib import Path

import pytest

import rmlr_lightning
from tests.browser import axe_findings, needs_axe
from tests.report.made_up import make_run, record_of, results
from tests.report.test_html import page_of

KINDS = ("run", "two", "sweep")
SOURCES = Path(rmlr_lightning.__file__).parent
# Text and what is behind it; 4.5 by WCAG 2.1, 1.4.3
TEXT = [
    *((text, back) for text in ("text", "dim", "strong") for back in ("back", "panel")),
    *((text, back) for text in ("good", "bad", "text") for back in ("panel", "rule")),
]
# Lines and marks; 3 by 1.4.11
MARKS = [(f"c{number}", "back") for number in range(8)]
GALLERY = [("text", "page"), ("text", "card"), ("quiet", "page"), ("quiet", "card")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    parent = tmp_path_factory.mktemp("runs")
    found = {"a": results(), "b": results(worse=True), "c": results()}
    return [make_run(parent / name, name, 0, record_of(found[name])) for name in found]


def made(kind: str, runs: list[Path], folder: Path):
    shown = runs[: KINDS.index(kind) + 1]
    options = ["--baseline", "a"] if len(shown) > 1 else []
    return page_of(folder, *shown, options=options)


@pytest.mark.slow
@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(kind, dark, runs, chromium, tmp_path):
    made(kind, runs, tmp_path)
    assert axe_findings(chromium, tmp_path / "page.html", dark) == []


@pytest.mark.slow
@needs_axe
def test_axe_finds_an_image_without_a_text(chromium, tmp_path):
    (tmp_path / "page.html").write_text("<html lang='en'><title>t</title><img src='data:,'>")
    findings = axe_findings(chromium, tmp_path / "page.html")
    assert any(line.startswith("critical image-alt") for line in findings)


@pytest.mark.parametrize("kind", KINDS)
def test_headings_fields_images_and_tables_are_named(kind, runs, tmp_path):
    elements = made(kind, runs, tmp_path).elements
    levels = [int(tag[1]) for tag, _ in elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))

    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = {attributes.get("for") for tag, attributes in elements if tag == "label"}
    for tag, attributes in elements:
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":  # a picture with words, or hidden because words stand beside it
            inner = "viewbox" in attributes and "role" not in attributes
            assert attributes.get("aria-label") or attributes.get("aria-hidden") or inner
        if tag == "input" and attributes["type"] == "search":
            assert attributes["id"] in labels
        if tag == "th":
            assert attributes["scope"] in ("col", "row")
        if tag == "section":
            assert attributes.get("aria-label") or attributes["aria-labelledby"] in ids


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def palettes(path: Path) -> list[dict[str, str]]:
    """The colours by name: light, then dark."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r":root {(.*?)}", text, re.DOTALL)[:2]
    return [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks]


def test_contrast_is_that_of_the_printed_examples():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # of WebAIM's checker


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_what_is_behind_them(scheme):
    report = palettes(SOURCES / "report" / "templates" / "style.css")[scheme]
    gallery = palettes(SOURCES / "predictions" / "page.html.j2")[scheme]
    low = [pair for pair in TEXT if contrast(report[pair[0]], report[pair[1]]) < 4.5]
    low += [pair for pair in MARKS if contrast(report[pair[0]], report[pair[1]]) < 3]
    low += [pair for pair in GALLERY if contrast(gallery[pair[0]], gallery[pair[1]]) < 4.5]
    assert not low
