"""The documentation site is built without a warning: every page, link and docstring is found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import axe_findings, needs_axe

ROOT = Path(__file__).parents[1]


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
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", ["index", "TROUBLESHOOTING", "api/model"])
def test_axe_finds_nothing_in_colours_and_links(page, dark, site):
    path = site / f"{page}.html"
    findings = axe_findings(path, path.parent, dark)  # beside the page, for its links to styles
    # what site.css decides; the rest is the theme's
    rules = ("color-contrast", "link-in-text-block")
    assert not [line for line in findings if line.split()[1].rstrip(":") in rules]
