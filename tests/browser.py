"""Pages in headless Chromium, which the fixture `chromium` starts, at the widths of two screens."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WIDTHS = (1400, 400)
# All that can be scrolled sideways at a width of the window, once the page is laid out for it
SIDEWAYS = """(width) => innerWidth === width &&
[document.documentElement, ...document.querySelectorAll("*")].filter((part) =>
  part.scrollWidth > part.clientWidth && (part === document.documentElement ||
    ["auto", "scroll"].includes(getComputedStyle(part).overflowX))).map((part) => part.outerHTML)
"""
AXE = Path(os.environ.get("RMLR_AXE", ""))
needs_axe = pytest.mark.skipif(
    not AXE.is_file(),
    reason="needs RMLR_AXE=FILE, the axe.min.js of `npm pack axe-core`: make test-browser",
)


@contextmanager
def window(chromium: Any, width: int, dark: bool = False) -> Iterator[tuple[Any, list[str]]]:
    """A new window as playwright's Page, and what its page writes to the console, as it comes."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    yield page, complaints
    context.close()


def axe_findings(chromium: Any, path: Path, dark: bool = False, widths=WIDTHS) -> list[str]:
    """What axe-core finds in a file at each width: "serious color-contrast: HTML of an element"."""
    found = set()
    for width in widths:
        with window(chromium, width, dark) as (page, _):
            page.goto(path.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach((it) => (it.open = true))")
            found |= axe_findings_now(page)
    return sorted(found)


def axe_findings_now(page: Any) -> set[str]:
    """Likewise in a page as it is at this moment."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    rules = page.evaluate(
        "axe.run({resultTypes: ['violations']}).then((result) => result.violations)"
    )
    return {
        f"{rule['impact']} {rule['id']}: {node['html'][:200]}"
        for rule in rules
        for node in rule["nodes"]
    }
