"""The page in a real browser: no scrolling sideways, no error, no request; search and focus."""

import pytest

from rmlr_lightning.cli.report import main
from tests.browser import WIDTHS, window
from tests.report.made_up import make_run, record_of, results

pytestmark = pytest.mark.slow
LOOK = """() => {
const root = document.documentElement;
const count = (query) => [...document.querySelectorAll(query)].filter((e) => e.offsetParent).length;
const before = count("#classes tbody tr");
const search = document.querySelector("input[data-table=classes]");
search.value = "truck";
search.dispatchEvent(new Event("input"));
const button = document.querySelector(".shot button");
button?.focus();
return {
  width: root.clientWidth,
  content: root.scrollWidth,
  rows: [before, count("#classes tbody tr")],
  output: search.parentElement.querySelector("output").textContent,
  drawn: button ? button.closest(".shot").querySelectorAll("svg g:not(.off)").length : 1,
  unnamed: [...document.querySelectorAll("input, button, [tabindex]")].filter(
    (e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).length,
};
}"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["run", "two", "sweep"])
def test_a_page_fits_wide_and_narrow_screens_without_a_complaint(kind, width, chromium, tmp_path):
    runs = [make_run(tmp_path / "a", "a", 0, record_of(results()))]
    if kind != "run":
        runs += [make_run(tmp_path / "b", "b", 0, record_of(results(worse=True)))]
    if kind == "sweep":
        runs += [make_run(tmp_path / "c", "c", 0, record_of(results()))]
    page = tmp_path / "page.html"
    options = ["--html", str(page), "--bootstrap", "100", "--baseline", "a"]
    main([*map(str, runs), *(options if kind != "run" else options[:4])])
    with window(chromium, width) as (shown, complaints):
        shown.goto(page.as_uri())
        look = shown.evaluate(LOOK)
    assert not complaints
    assert look["width"] == width
    assert look["content"] <= width, "the page scrolls sideways"
    assert look["rows"][0] == 5 and look["rows"][1] == 1 and look["output"] == "1 of 5"
    assert look["unnamed"] == 0
    # with the focus in the list of an image, one pair is drawn
    assert look["drawn"] == 1
