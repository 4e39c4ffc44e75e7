"""The documentation site is built without a warning: every page, link and docstring is found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import axe_findings, needs_axe

ROOT = Path(__file__).parents[1]
# Rules of axe-core that are broken and left: the corner of a table may be empty, and the theme puts
# the button of each block of code into a <nav> without a name, and nested contents into two.
LEFT = ("minor empty-table-header", "moderate landmark-unique")
# Pages with tables, shell, Python and annotations: all colours
IN_THE_DARK = ("index.html", "TROUBLESHOOTING.html", "api/model.html")


def ours(findings: list[str]) -> list[str]:
    return [line for line in findings if not line.startswith(LEFT)]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return out


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
@needs_axe
def test_axe_finds_nothing_in_any_page_on_a_phone(chromium, site):
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert pages >= set(IN_THE_DARK)
    for page in sorted(pages - {"404.html"}):  # 404.html needs a server, for its styles
        assert ours(axe_findings(chromium, site / page, widths=[400])) == [], page


@pytest.mark.slow
@needs_axe
@pytest.mark.parametrize("page", IN_THE_DARK)
def test_axe_finds_nothing_in_the_dark(page, chromium, site):
    assert ours(axe_findings(chromium, site / page, dark=True, widths=[1400])) == []
