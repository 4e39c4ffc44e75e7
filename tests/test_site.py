"""The documentation site is built without a warning: every page, link and docstring is found."""

import re
from html import unescape
from pathlib import Path

import pytest

from tests.browser import axe_findings, needs_axe, window
from tests.page_commands import copy_tracked, finished, from_page, make_command

# Rules of axe-core that are broken and left: the corner of a table may be empty, and the theme puts
# the button of each block of code into a <nav> without a name, and nested contents into two.
LEFT = ("minor empty-table-header", "moderate landmark-unique")
# Pages with tables, shell, Python and annotations: all colours
IN_THE_DARK = ("index.html", "TROUBLESHOOTING.html", "api/model.html")
CUT = """Array.from(document.querySelectorAll('pre > code, .md-typeset__scrollwrap'))
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => box.innerText.slice(0, 200))"""
# words in the code of tables that stand on two lines
BROKEN = r"""Array.from(document.querySelectorAll('td code')).flatMap((code) => {
  const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
  const broken = [];
  while (texts.nextNode()) {
    for (const word of texts.currentNode.data.matchAll(/\w+/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (range.getClientRects().length > 1) broken.push(word[0]);
    }
  }
  return broken;
})"""


def ours(findings: list[str]) -> list[str]:
    return [line for line in findings if not line.startswith(LEFT)]


def pages(site: Path) -> list[Path]:
    """All pages but 404.html, which needs a server for its styles."""
    return sorted(path for path in site.rglob("*.html") if path.name != "404.html")


def text_of(page: Path) -> str:
    return unescape(re.sub("<[^>]+>", "", page.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    checkout = copy_tracked(tmp_path_factory.mktemp("site"))
    done = finished(make_command(from_page("make site")), checkout)
    assert done.returncode == 0, done.stderr
    return checkout / "site"


@pytest.mark.slow
def test_readme_is_the_first_page_and_its_links_stay_on_the_site(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    assert "human-object interactions" in text
    targets = re.findall(r'href="([A-Z]+\.html)"', text)
    assert "DATA.html" in targets
    assert all((site / target).is_file() for target in targets)


@pytest.mark.slow
def test_pages_ask_no_other_host(site):
    """Scripts, styles, fonts and pictures are files of the site."""
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', page.read_text())
        assert not [url for url in loaded if url.startswith("http")], page


@pytest.mark.slow
def test_api_pages_hold_the_docstrings(site):
    text = (site / "api" / "prediction.html").read_text(encoding="utf-8")
    assert "from_pretrained" in text and "push_to_hub" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "field"),
    [
        ("records", 'logits: Float[Tensor, "B P V"]'),
        ("records", 'verbs: Bool[Tensor, "B P V"]  # true verbs'),
        ("records", "maps: dict[str, Tensor] = NO_MAPS"),
        ("prediction", "box_h: Box  # of the human"),
        ("model", "score_threshold: float = 0.2"),
    ],
)
def test_api_pages_hold_the_fields_of_records(page, field, site):
    assert field in text_of(site / "api" / f"{page}.html")


@pytest.mark.slow
def test_fields_with_a_default_are_not_called_required(site):
    text = text_of(site / "api" / "model.html")
    thresholds = text[text.index("Thresholds of selection") : text.index("score_threshold: float")]
    assert "nms_iou" in thresholds and "required" not in thresholds


@pytest.mark.slow
def test_properties_of_records_are_not_among_their_fields(site):
    assert "def knows_drawings_only" not in text_of(site / "api" / "prediction.html")


@pytest.mark.slow
def test_architecture_links_to_its_figure(site):
    text = (site / "ARCHITECTURE.html").read_text(encoding="utf-8")
    assert '<a href="pictures/architecture.svg"><img' in text


@pytest.mark.slow
def test_code_and_tables_fit_on_a_screen(chromium, site):
    with window(chromium, 1400) as (page, _):
        for path in pages(site):
            page.goto(path.as_uri())
            page.wait_for_selector(".md-typeset__scrollwrap, article:not(:has(table))")
            assert page.evaluate(CUT) == [], path


@pytest.mark.slow
def test_tables_on_a_phone_break_no_word_of_code_and_pages_do_not_scroll_sideways(chromium, site):
    with window(chromium, 400) as (page, _):
        for path in pages(site):
            page.goto(path.as_uri())
            page.wait_for_selector(".md-typeset__scrollwrap, article:not(:has(table))")
            assert page.evaluate(BROKEN) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") == 400, path


@pytest.mark.slow
def test_search_works_from_disk(chromium, site):
    with window(chromium, 1400) as (page, complaints):
        page.goto((site / "index.html").as_uri())
        page.click(".md-search__input")
        page.keyboard.type("evaluationmetric")
        page.wait_for_selector(".md-search-result__link[href*='api/evaluation.html']")
        assert complaints == []


@pytest.mark.slow
@needs_axe
def test_axe_finds_nothing_in_any_page_on_a_phone(chromium, site):
    for page in pages(site):
        assert ours(axe_findings(chromium, page, widths=[400])) == [], page


@pytest.mark.slow
@needs_axe
@pytest.mark.parametrize("page", IN_THE_DARK)
def test_axe_finds_nothing_in_the_dark(page, chromium, site):
    assert ours(axe_findings(chromium, site / page, dark=True, widths=[1400])) == []
