"""The gallery page: escaped, without requests, and filtered in a real browser."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rmlr_lightning.predictions.gallery import card_of, page
from tests.browser import axe_findings, needs_axe, window

# What an element refers to; all of it must lie in the page or beside it.
ADDRESSES = {"src", "href", "srcset", "data", "action", "poster"}
BAD = "<img src=x onerror=alert(1)>&\"'"


class Elements(HTMLParser):
    """All start tags of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def made(make_result) -> str:
    first = make_result(
        ("ride", "bicycle", 0.9), ("hold", "bicycle", 0.2), ("push", "bicycle", 0.1)
    )
    second = make_result(("hold", "cup", 0.7), ("hold", "cup", 0.01))
    cards = [
        card_of(first, "a.jpg", Path("a.png")),
        card_of(second, "b.jpg", Path("b #1.png")),
        card_of(make_result(("hold", "cup", 0.04)), "nothing.jpg", Path("nothing.png")),
    ]
    return page(cards, "Interactions", 2, is_calibrated=True)


def test_the_page_needs_no_network_and_links_the_drawings(make_result):
    elements = Elements(made(make_result)).found
    addresses = [
        value
        for _, attributes in elements
        for name, value in attributes.items()
        if name in ADDRESSES
    ]
    assert "b%20%231.png" in addresses
    assert not [value for value in addresses if re.match(r"(?!data:)[a-z]+:|//", value)]
    assert not [tag for tag, _ in elements if tag in ("iframe", "object", "embed")]


def test_a_single_image_is_counted_as_one(make_result):
    card = card_of(make_result(("ride", "bicycle", 0.9)), "a.jpg", Path("a.png"))
    texts = Elements(page([card], "Interactions", 1, is_calibrated=True)).texts
    assert "1 image" in texts and "1 more image in predictions.jsonl." in texts
    texts = Elements(made(make_result)).texts
    assert "3 images" in texts and "2 more images in predictions.jsonl." in texts


def test_a_note_on_the_model_stands_on_the_page(make_result):
    card = card_of(make_result(), "a.jpg", Path("a.png"))
    texts = Elements(page([card], "Interactions", 0, True, note="trained on <drawings>")).texts
    assert "Note: trained on <drawings>." in texts


def test_triplets_that_nobody_would_look_for_are_left_out(make_result):
    rows = [attributes for tag, attributes in Elements(made(make_result)).found if tag == "li"]
    assert [row["data-percent"] for row in rows] == ["90", "20", "10", "70"]
    assert ["hidden" in row for row in rows] == [
        False,
        True,
        True,
        False,
    ]  # also without JavaScript


def test_all_likely_triplets_are_shown_and_the_others_counted(make_result):
    others = [("hold", "bicycle", 0.4)] * 20
    likely = [("ride", "bicycle", 0.6)] * 3
    card = card_of(make_result(*others, *likely), "a.jpg", Path("a.png"))
    assert [row["likely"] for row in card.triplets] == [False] * 17 + [True] * 3
    assert card.left_out == 3
    text = " ".join(" ".join(Elements(page([card], "", 0, True)).texts).split())
    assert (
        "3 more triplets in the JSON files only: this page has the likely ones and others from 5 % "
        "on, up to 20 per image."
    ) in text


@pytest.mark.parametrize(
    ("probabilities", "likely", "lowest", "none"),
    [
        ([0.9, 0.2], False, "5", "no interaction"),
        ([0.04, 0.01], False, "5", "no interaction from 5 % on"),
        ([0.03], True, "3", "no interaction"),
        ([], False, "5", "no interaction"),
    ],
    ids=["from the bound on", "below the bound", "likely below the bound", "none"],
)
def test_the_slider_starts_where_the_page_does(probabilities, likely, lowest, none, make_result):
    result = make_result(*(("ride", "bicycle", probability) for probability in probabilities))
    if likely:
        result.triplets = [triplet._replace(likely=True) for triplet in result]
    html = page([card_of(result, "a.jpg", Path("a.png"))], "Interactions", 0, True)
    attributes = [attributes for _, attributes in Elements(html).found]
    (slider,) = [values for values in attributes if values.get("id") == "percent"]
    assert slider["min"] == slider["value"] == lowest
    assert [values["data-none"] for values in attributes if "data-none" in values] == [none]


@pytest.mark.parametrize(("count", "is_open"), [(1, True), (6, False)])
def test_files_without_results_are_named(count, is_open, make_result):
    card = card_of(make_result(), "a.jpg", Path("a.png"))
    elements = Elements(page([card], "Interactions", 0, True, unread=[BAD] * count))
    ((_, details),) = [element for element in elements.found if element[0] == "details"]
    assert ("open" in details) == is_open
    noun = "file" if count == 1 else "files"
    assert f"{count} more {noun} could not be read" in elements.texts
    assert "".join(elements.texts).count(BAD) == count


@pytest.mark.fault
def test_names_of_strangers_stay_text(make_result):
    result = make_result((BAD, BAD, 0.9))
    html = page([card_of(result, BAD, Path(f"{BAD}.png"))], BAD, 0, is_calibrated=False)
    elements = Elements(html)
    images = [attributes for tag, attributes in elements.found if tag == "img"]
    assert len(images) == 1 and "onerror" not in images[0] and BAD in images[0]["alt"]
    assert elements.texts.count(BAD) >= 3
    assert "alert(1)>" not in html and "% score" in " ".join(html.split())


LOOK = """() => {
const all = (what) => [...document.querySelectorAll(what)];
const seen = (what) => all(what).filter((element) => element.checkVisibility());
const read = () => [seen("article").length, seen("li").length, find("count").textContent];
const verbs = () => [...find("verb").options].map((option) => option.value).join();
const set = (id, key, value) => {
  find(id)[key] = value;
  find(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const log = { start: read(), wide: document.documentElement.scrollWidth > innerWidth };
log.verbs = [verbs()];
set("likely", "checked", false); log.all = read();
log.empty = seen(".empty").map((element) => element.textContent);
set("object", "value", "bicycle"); log.verbs.push(verbs()); set("object", "value", "");
set("verb", "value", "hold"); log.hold = read();
set("percent", "value", 50); log.surely = read();
set("percent", "value", 80); log.verbs.push(verbs()); log.kept = find("verb").value;
set("percent", "value", 50);
const button = seen("li button")[0];
button.focus();
log.focus = all("svg.chosen g.chosen").length === 1 && document.activeElement === button;
button.click(); log.pressed = button.getAttribute("aria-pressed");
const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
log.requests = loaded.filter((name) => !name.startsWith("data:")).length;
return log;
}"""


@pytest.mark.slow
def test_the_filters_work_on_a_phone(make_result, chromium, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(made(make_result), encoding="utf-8")
    with window(chromium, 400) as (shown, complaints):
        shown.goto(path.as_uri())
        log = shown.evaluate(LOOK)
    assert not complaints
    assert log == {
        "start": [3, 2, "3 of 3 images, 2 triplets"],
        "wide": False,
        # those of likely triplets; of all of bicycles; from 80 % on, and the chosen one
        "verbs": [",hold,ride", ",hold,push,ride", ",hold,ride"],
        "kept": "hold",
        "all": [3, 4, "3 of 3 images, 4 triplets"],
        "empty": ["no interaction from 5 % on"],
        "hold": [2, 2, "2 of 3 images, 2 triplets"],
        "surely": [1, 1, "1 of 3 images, 1 triplet"],
        "focus": True,
        "pressed": "true",
        "requests": 0,
    }


@pytest.mark.slow
def test_the_filters_apply_after_a_visit_to_a_drawing(make_result, chromium, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(made(make_result), encoding="utf-8")
    state = """() => [find("verb").value, find("likely").checked, find("percent").value,
        find("count").textContent, cards.filter((card) => !card.card.hidden).length]"""
    with window(chromium, 400) as (shown, complaints):
        shown.goto(path.as_uri())
        shown.locator("#likely").uncheck()
        shown.locator("#verb").select_option("push")  # no likely triplet has it
        before = shown.evaluate(state)
        shown.goto("about:blank")
        shown.go_back()  # Firefox keeps a form on a reload, too
        after = shown.evaluate(state)
    assert not complaints
    assert before[:2] == ["push", False] and before[-1] == 1
    assert after == before


@pytest.mark.slow
@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(dark, make_result, chromium, tmp_path):
    (tmp_path / "index.html").write_text(made(make_result), encoding="utf-8")
    assert axe_findings(chromium, tmp_path / "index.html", dark) == []
