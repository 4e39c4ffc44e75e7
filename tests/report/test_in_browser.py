"""The page in a real browser: no scrolling sideways, no error, no request; search and focus."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rmlr_lightning.cli.report import main
from tests.report.made_up import make_run, record_of, results

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]
WIDTHS = (1400, 400)
# Runs in a page that holds the report in a frame of each width; writes what it finds as JSON.
LOOK = """
const found = [];
for (const frame of document.querySelectorAll("iframe")) {
  const page = frame.contentDocument, root = page.documentElement;
  const count = (query) => [...page.querySelectorAll(query)].filter((e) => e.offsetParent).length;
  const before = count("#classes tbody tr");
  const search = page.querySelector("input[type=search]");
  search.value = "truck";
  search.dispatchEvent(new Event("input"));
  const button = page.querySelector(".shot button");
  button?.focus();
  found.push({
    width: frame.clientWidth,
    content: root.scrollWidth,
    rows: [before, count("#classes tbody tr")],
    output: page.querySelector("output").textContent,
    drawn: button ? button.closest(".shot").querySelectorAll("svg g:not(.off)").length : 1,
    unnamed: [...page.querySelectorAll("input, button, [tabindex]")].filter(
      (e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).length,
  });
}
document.body.innerHTML = "";
document.body.append(JSON.stringify(found));
"""


def seen(page: Path, folder: Path) -> tuple[list[dict], str]:
    """What the script found at each width, and what the browser complained about."""
    text = html.escape(page.read_text(encoding="utf-8"), quote=True)
    frames = "".join(
        f'<iframe srcdoc="{text}" style="width:{width}px;height:900px;border:0"></iframe>'
        for width in WIDTHS
    )
    outer = folder / "outer.html"
    script = f"<script>addEventListener('load', () => {{{LOOK}}})</script>"
    outer.write_text(f"<!DOCTYPE html><body>{frames}{script}", encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1500,1000"]
    command += ["--virtual-time-budget=20000", "--dump-dom", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    shutil.rmtree(folder / "profile", ignore_errors=True)
    body = re.search(r"<body>(.*)</body>", done.stdout, re.DOTALL)[1]
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(body)), "\n".join(complaints)


@pytest.mark.parametrize("kind", ["run", "two", "sweep"])
def test_a_page_fits_wide_and_narrow_screens_without_a_complaint(kind, tmp_path):
    runs = [make_run(tmp_path / "a", "a", 0, record_of(results()))]
    if kind != "run":
        runs += [make_run(tmp_path / "b", "b", 0, record_of(results(worse=True)))]
    if kind == "sweep":
        runs += [make_run(tmp_path / "c", "c", 0, record_of(results()))]
    page = tmp_path / "page.html"
    options = ["--html", str(page), "--bootstrap", "100", "--baseline", "a"]
    main([*map(str, runs), *(options if kind != "run" else options[:4])])
    found, complaints = seen(page, tmp_path)
    assert not complaints
    assert [look["width"] for look in found] == list(WIDTHS)
    for look in found:
        assert look["content"] <= look["width"], "the page scrolls sideways"
        assert look["rows"][0] == 5 and look["rows"][1] == 1 and look["output"] == "1 of 5"
        assert look["unnamed"] == 0
        # with the focus in the list of an image, one pair is drawn
        assert look["drawn"] == 1
