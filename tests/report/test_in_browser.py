"""The page in a real browser: no scrolling sideways, no error, no request; search and keyboard."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rmlr_lightning.cli.report import main
from tests.browser import SIDEWAYS, WIDTHS, window
from tests.report.made_up import make_run, record_of, results

pytestmark = pytest.mark.slow
KINDS = ("run", "two", "sweep")
LOOK = """() => {
return {
  rows: document.querySelectorAll("#classes tbody tr").length,
  unnamed: [...document.querySelectorAll("input, button, [tabindex]")].filter(
    (e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).length,
};
}"""
# All that a keyboard must reach, in the order in which it is read
STOPS = """() => {
window.stops = [...document.querySelectorAll("a[href], input, button, summary, [tabindex='0']")]
  .filter((part) => part.checkVisibility());
return window.stops.length;
}"""
STOP = """() => {
const part = document.activeElement, shot = part.closest(".shot");
const shown = part.getBoundingClientRect();
return {
  place: window.stops.indexOf(part),
  table: part.dataset?.table ?? null,
  // of an image whose list has the focus
  drawn: part.matches(".shot button") ? shot.querySelectorAll("svg g:not(.off)").length : null,
  seen: shown.right > 0 && shown.bottom > 0 && shown.top < innerHeight,
};
}"""
FOUND = """() => [...document.querySelectorAll("#classes tbody tr")]
  .filter((row) => row.checkVisibility()).map((row) => row.cells[0].textContent)"""


class Walk(NamedTuple):
    """What a user meets who has no mouse, from the top of a page to its end."""

    length: int  # of what is to be reached
    stops: list[dict[str, Any]]  # what each press of Tab reaches
    found: list[str]  # classes, after "truck" was typed into the search box
    output: str


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    found = {"a": results(), "b": results(worse=True), "c": results()}
    runs = [make_run(folder / name, name, 0, record_of(found[name])) for name in found]
    out = {kind: folder / f"{kind}.html" for kind in KINDS}
    for number, page in enumerate(out.values(), 1):
        options = ["--baseline", "a"] if number > 1 else []
        main([*map(str, runs[:number]), "--html", str(page), "--bootstrap", "100", *options])
    return out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_wide_and_narrow_screens_without_a_complaint(kind, width, chromium, pages):
    with window(chromium, width) as (shown, complaints):
        shown.goto(pages[kind].as_uri())
        shown.evaluate("document.querySelectorAll('details').forEach((it) => (it.open = true))")
        look, sideways = shown.evaluate(LOOK), shown.evaluate(SIDEWAYS, width)
    assert not complaints
    assert sideways == []
    assert look["rows"] == 5
    assert look["unnamed"] == 0


@pytest.fixture(scope="module", params=KINDS)
def walk(request, chromium, pages) -> Walk:
    with window(chromium, WIDTHS[0]) as (page, _):
        page.goto(pages[request.param].as_uri())
        length, stops, found, output = page.evaluate(STOPS), [], [], ""
        for _ in range(length):
            page.keyboard.press("Tab")
            stops.append(page.evaluate(STOP))
            if stops[-1]["table"] == "classes":
                page.keyboard.type("truck")
                found = page.evaluate(FOUND)
                output = page.locator("output[for=q-classes]").inner_text()
    return Walk(length, stops, found, output)


def test_tab_reaches_everything_in_the_order_of_reading(walk):
    assert [stop["place"] for stop in walk.stops] == list(range(walk.length))


def test_what_has_the_focus_is_in_sight(walk):
    assert [stop["place"] for stop in walk.stops if not stop["seen"]] == []


def test_with_the_focus_in_the_list_of_an_image_one_pair_is_drawn(walk):
    drawn = [stop["drawn"] for stop in walk.stops if stop["drawn"] is not None]
    assert drawn and set(drawn) == {1}


def test_the_search_is_used_by_keyboard(walk):
    (name,) = walk.found
    assert "truck" in name and walk.output == "1 of 5"


def test_enter_follows_the_first_link_past_the_navigation(chromium, pages):
    with window(chromium, WIDTHS[0]) as (page, _):
        page.goto(pages["run"].as_uri())
        for key in ("Tab", "Enter", "Tab"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.closest('main') !== null")
