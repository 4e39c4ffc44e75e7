"""The page of rmlr-demo as a user sees it: served by the real program, in a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from rmlr_lightning import HOIDetector
from tests.browser import SIDEWAYS, WIDTHS, axe_findings_now, needs_axe, window

pytestmark = pytest.mark.slow
PATIENCE = 60_000  # milliseconds
# Serious findings in gradio's own markup, which none of its options changes
OF_GRADIO = (
    # a box without a role has a name: the place of a drawing, the mark of a column of verbs
    r'serious aria-prohibited-attr: <div aria-label="Empty value" class="empty',
    r'serious aria-prohibited-attr: <div class="wrapper[^"]*" aria-label="Static column">',
    # the drawing is a button without a name; the table beside it has the same in words
    r'critical button-name: <button class="[\w-]+">(<div class="image-frame|$)',
    # "Drop an image file here to upload", and "Drop Image Here - or - Click to Upload" inside
    r'serious label-content-name-mismatch: <button class="upload-container',
)
# All messages that the page has shown
MESSAGES = """globalThis.messages = [];
new MutationObserver((changes) => {
  for (const part of changes.flatMap((change) => [...change.addedNodes]))
    for (const text of part.querySelectorAll?.("[data-testid=toast-text]") ?? [])
      messages.push(text.innerText);
}).observe(document.body, {childList: true, subtree: true});
"""


class Visit(NamedTuple):
    """What a user saw, step by step."""

    rows: list[list[str]]  # of the table of triplets
    rows_without: list[list[str]]  # the first verb is shown from 1 on
    mistake: list[str]  # messages, after the threshold "much" and the first one again
    rows_again: list[list[str]]
    drawings: list[str]  # addresses: of all rows, and without the first verb
    no_image: list[str]  # messages, after a text file was chosen
    marks: int  # parts of the page that gradio marks with "Error" then
    text: str  # of the whole page
    sideways: dict[int, list[str]]  # what can be scrolled sideways at each width
    hosts: set[str]
    errors: list[str]  # in the console of the browser
    status: int  # of the program
    output: str


@pytest.fixture(scope="module")
def image(world) -> Path:
    return min((world / "hico_20160224_det" / "images" / "test2015").glob("*.jpg"))


@pytest.fixture(scope="module")
def expected(image) -> list[list[str]]:
    """The rows of the image by the public API."""
    found = HOIDetector.from_pretrained("rmlr-synthetic").predict(image).likely
    assert len({triplet.verb for triplet in found}) > 1
    return [["person", one.verb, one.object, str(round(one.probability, 3))] for one in found]


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of the page, and the program that serves it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "rmlr_lightning.cli.demo", "--port", port]
    with subprocess.Popen(
        command,
        env=os.environ | {"GRADIO_TEMP_DIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        try:
            start = []
            while "http://" not in (line := program.stdout.readline()):
                start.append(line)
                assert line, f"rmlr-demo has ended: {start}"
            yield f"http://127.0.0.1:{port}", program
        finally:
            program.kill()


def rows_of(table: Any) -> list[list[str]]:
    cells = table.get_by_role("gridcell").all_inner_texts()
    return [cells[start : start + 4] for start in range(0, len(cells), 4)]


def set_threshold(page: Any, verb: str, text: str) -> str:
    """Type into the table, as a user does. Returns what was there."""
    row = page.get_by_role("grid", name="thresholds").get_by_role("row").filter(has_text=verb)
    cell = row.get_by_role("gridcell").last
    before = cell.inner_text()
    cell.dblclick()
    cell.get_by_role("textbox").fill(text)
    page.keyboard.press("Enter")
    return before


def choose(page: Any, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Click to Upload").click()
    chooser.value.set_files(file)


def sideways(page: Any, width: int) -> list[str]:
    from playwright.sync_api import TimeoutError

    page.set_viewport_size({"width": width, "height": 900})
    try:  # a table takes a moment
        page.wait_for_function(f"({SIDEWAYS})({width}).length === 0", timeout=10_000)
    except TimeoutError:
        return page.evaluate(SIDEWAYS, width)
    return []


@pytest.fixture(scope="module")
def gradio_folder(tmp_path_factory) -> Path:
    pytest.importorskip("gradio", reason="needs gradio: make test-browser")
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def visit(chromium, image, expected, gradio_folder) -> Visit:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    verb = expected[0][1]
    text_file = gradio_folder / "note.jpg"
    text_file.write_text("no image")
    with (
        served(gradio_folder) as (address, program),
        window(chromium, WIDTHS[0]) as (page, complaints),
    ):
        page.set_default_timeout(PATIENCE)
        hosts = set()
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        page.goto(address)
        page.evaluate(MESSAGES)
        choose(page, image)

        triplets = page.get_by_role("grid", name="triplets")
        drawing = page.locator("img[src*='/gradio_api/file=']").last
        with_verb = triplets.get_by_role("gridcell", name=verb, exact=True)
        expect(with_verb.first).to_be_visible()
        rows, drawings = rows_of(triplets), [drawing.get_attribute("src")]

        threshold = set_threshold(page, verb, "1")
        expect(with_verb).to_have_count(0)
        rows_without = rows_of(triplets)
        drawings.append(drawing.get_attribute("src"))

        set_threshold(page, verb, "much")
        messages = page.get_by_test_id("toast-text")
        messages.first.wait_for()

        set_threshold(page, verb, threshold)
        expect(with_verb.first).to_be_visible()
        rows_again = rows_of(triplets)
        mistake = page.evaluate("messages")
        scrolled = {width: sideways(page, width) for width in WIDTHS}
        text = page.locator("body").inner_text()

        messages.first.wait_for(state="detached")
        page.get_by_label("Remove Image").click()
        choose(page, text_file)
        messages.first.wait_for()
        no_image = messages.all_inner_texts()
        marks = page.get_by_text("Error", exact=True).count()

        # before the program ends, which cuts a connection
        errors = [line for line in complaints if line.startswith("error")]
        program.send_signal(signal.SIGINT)
        output, _ = program.communicate(timeout=PATIENCE / 1000)
    return Visit(
        rows,
        rows_without,
        mistake,
        rows_again,
        drawings,
        no_image,
        marks,
        text,
        scrolled,
        hosts,
        errors,
        program.returncode,
        output,
    )


def test_an_image_is_answered_with_the_likely_triplets(visit, expected):
    assert visit.rows == expected


def test_a_threshold_changes_the_rows_and_the_drawing(visit, expected):
    assert visit.rows_without == [row for row in expected if row[1] != expected[0][1]]
    assert len(set(visit.drawings)) == 2


@pytest.mark.fault
def test_what_is_no_threshold_is_answered_once_and_in_one_line(visit, expected):
    message = f"threshold of {expected[0][1]}: 'much' is not a number from 0 to 1"
    assert visit.mistake == [message]
    assert visit.rows_again == expected


@pytest.mark.fault
def test_a_file_that_is_no_image_is_named(visit):
    (message,) = visit.no_image
    assert message.startswith("note.jpg: not a readable image")
    assert visit.marks == 0


def test_a_model_of_drawings_is_named_so(visit):
    assert "what it finds in photographs means nothing" in visit.text


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_scrolls_sideways(width, visit):
    assert visit.sideways[width] == []


def test_the_page_has_no_error_and_asks_no_other_host(visit):
    assert visit.errors == []
    assert visit.hosts == {"127.0.0.1"}


def test_ctrl_c_ends_the_program_in_one_line(visit):
    assert visit.status == 128 + signal.SIGINT
    assert visit.output == "stopped by SIGINT\n"


@needs_axe
def test_axe_finds_nothing_serious_but_in_gradios_own_markup(chromium, image, gradio_folder):
    found = set()
    with served(gradio_folder) as (address, _):
        for dark in (False, True):
            with window(chromium, WIDTHS[0], dark) as (page, _):
                page.set_default_timeout(PATIENCE)
                page.goto(address)
                page.get_by_text("Click to Upload").wait_for()
                found |= axe_findings_now(page)
                choose(page, image)
                page.get_by_role("grid", name="triplets").get_by_role("gridcell").last.wait_for()
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 900})
                    found |= axe_findings_now(page)
    serious = {line for line in found if line.startswith(("serious", "critical"))}
    ours = {line for line in serious if not any(re.match(part, line) for part in OF_GRADIO)}
    assert ours == set()
    # a part that matches nothing any more is to be taken out
    assert all(any(re.match(part, line) for line in serious) for part in OF_GRADIO)
