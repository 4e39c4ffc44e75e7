"""The largest pages: below 5 MB, and on paper no wider than it."""

import shutil
from types import SimpleNamespace

import pytest

from rmlr_lightning.cli.report import main
from rmlr_lightning.report.image_cards import most_changed
from rmlr_lightning.scoring.record_file import FILE
from tests.browser import window
from tests.report.large import large_record, make_large_run
from tests.report.made_up import make_run

pytestmark = pytest.mark.slow
MAX_BYTES = 5_000_000
ROWS = 11
PAPER = 718  # pixels: A4 without its margins
NAME = "row_of_the_ablation_{}"
# The best and the worst, or those of both runs that changed most; and those with words
IMAGES = {"run": 6 + 6 + 8, "two": 2 * 6 + 2 * 8, "sweep": 6 + 6 + 8}
KINDS = list(IMAGES)
# Tables, commands and paragraphs whose right end is beyond that of the paper
BEYOND = """() => [...document.querySelectorAll("table, pre, p, dl, h2, figure")].filter(
  (part) => part.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map((part) => part.closest("section").id + part.outerHTML.slice(0, 99))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each kind."""
    folder = tmp_path_factory.mktemp("large")
    records = [large_record(seed) for seed in (0, 1)]
    changed = [image for image, _ in most_changed(*(SimpleNamespace(test=r) for r in records))]
    runs = [
        make_large_run(folder / f"row {number}", NAME.format(number), record, changed)
        for number, record in enumerate(records)
    ]
    for number in range(2, ROWS):
        run = make_run(folder / f"row {number}", NAME.format(number))
        for part in (FILE, "log", "metrics.json"):
            copy = shutil.copytree if part == "log" else shutil.copy
            shutil.rmtree(run / part, ignore_errors=True)
            copy(runs[number % 2] / part, run / part)
        runs.append(run)
    found = {}
    for kind, number in zip(KINDS, (1, 2, ROWS), strict=True):
        found[kind] = folder / f"{kind}.html"
        options = ["--baseline", NAME.format(0)] if number > 1 else []
        main([*map(str, runs[:number]), "--html", str(found[kind]), "--bootstrap", "100", *options])
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_below_5_mb(kind, pages):
    assert pages[kind].stat().st_size < MAX_BYTES
    assert pages[kind].read_text(encoding="utf-8").count("data:image/jpeg") == IMAGES[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_nothing_is_cut_off(kind, pages, chromium):
    with window(chromium, PAPER) as (page, _):
        page.emulate_media(media="print")
        page.goto(pages[kind].as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((it) => (it.open = true))")
        assert page.evaluate(BEYOND) == []
