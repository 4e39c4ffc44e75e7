"""A page in headless Chromium, in a frame of each width, and what a script finds there.

A window of its own would never be as narrow as a phone.
"""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (1400, 400)
AXE = os.environ.get("RMLR_AXE", "")
needs_axe = pytest.mark.skipif(
    CHROMIUM is None or not Path(AXE).is_file(),
    reason="needs chromium and RMLR_AXE=FILE, the axe.min.js of `npm pack axe-core`",
)


def seen(page: Path, folder: Path, script: str, options=()) -> tuple[list, str]:
    """What a script found at each width, and what the browser complained about.

    Args:
        page: an HTML file.
        folder: for files of the browser.
        script: the body of an async function of `page` (a document) and `frame`, which returns JSON
            values.
        options: of Chromium.
    """
    text = html.escape(page.read_text(encoding="utf-8"), quote=True)
    frames = "".join(
        f'<iframe title="page" srcdoc="{text}" style="width:{w}px;height:900px;border:0"></iframe>'
        for w in WIDTHS
    )
    run = f"""
    addEventListener("load", async () => {{
      const found = [];
      for (const frame of document.querySelectorAll("iframe")) {{
        found.push(await (async (frame, page) => {{ {script} }})(frame, frame.contentDocument));
      }}
      document.body.innerHTML = "";
      document.body.append(JSON.stringify(found));
    }});"""
    outer = folder / "outer.html"
    outer.write_text(f"<!DOCTYPE html><body>{frames}<script>{run}</script>", encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1500,1000"]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=60000", "--dump-dom"]
    command += options
    done = subprocess.run(
        [*command, outer.as_uri()], capture_output=True, text=True, timeout=240, check=True
    )
    shutil.rmtree(folder / "profile", ignore_errors=True)
    body = re.search(r"<body>(.*)</body>", done.stdout, re.DOTALL)[1]
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(body)), "\n".join(complaints)


def axe_findings(page: Path, folder: Path, dark: bool = False) -> list[str]:
    """What axe-core finds at each width: "serious color-contrast: HTML of the element"."""
    source = json.dumps(Path(AXE).read_text(encoding="utf-8")).replace("</", "<\\/")
    script = f"""
    for (const part of page.querySelectorAll("details")) part.open = true;
    const axe = page.createElement("script");
    axe.textContent = {source};
    page.head.append(axe);
    const result = await frame.contentWindow.axe.run(page);
    return result.violations.flatMap((rule) => rule.nodes.map(
      (node) => `${{rule.impact}} ${{rule.id}}: ${{node.html.slice(0, 200)}}`));"""
    options = ["--blink-settings=preferredColorScheme=0"] if dark else []
    found, _ = seen(page, folder, script, options)
    return sorted({line for lines in found for line in lines})
