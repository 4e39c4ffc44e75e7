"""A figure of matplotlib as SVG inside a page: its text is text, its colours are the page's own."""

import hashlib
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

# Colours of plots, and the variables of style.css that take their place in light and dark
TEXT, DIM, RULE = "#1c1f24", "#5a616b", "#d5d9df"
CURVES = (
    "#1f5fa8",
    "#b75c00",
    "#1d7044",
    "#8a3fa0",
    "#b3261e",
    "#0f766e",
    "#6b6f00",
    "#5a616c",  # not DIM, which has a variable of its own
)
VARIABLES = {TEXT: "--text", DIM: "--dim", RULE: "--rule"}
VARIABLES |= {colour: f"--c{number}" for number, colour in enumerate(CURVES)}

SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rmlr",  # the same figure has the same names of parts
    "text.parse_math": False,  # a name of a run may hold dollar signs
    "font.size": 11.5,
    "text.color": DIM,
    "axes.labelcolor": DIM,
    "axes.edgecolor": RULE,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": DIM,
    "ytick.labelcolor": DIM,
    "grid.color": RULE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def inline_svg(figure: Any, label: str, readings: Mapping[str, str]) -> Markup:
    """The `<svg>` element of a figure.

    Args:
        figure: of matplotlib, made under `SETTINGS`.
        label: what a screen reader reads out in place of the plot.
        readings: what is read under the pointer, by the `gid` of a part of the figure. Such a part
            is not painted before the pointer is on it.
    """
    root = _drawn(figure)
    for part in root.iter("g"):
        name = part.attrib.pop("id", "")
        if name in readings:
            _make_reading(part, readings[name])
    _name_apart(root, label)

    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib |= {"class": "plot", "viewBox": box, "role": "img", "aria-label": plain(label)}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def separate_svgs(figure: Any, names: Sequence[str], shared: str) -> list[Markup]:
    """An `<svg>` element for each of some parts of a figure, stretched to the width of its place.

    Args:
        figure: of matplotlib, made under `SETTINGS`.
        names: the `gid` of each part.
        shared: the `gid` of a part that is in all of them, where the figure has it.
    """
    root = _drawn(figure)
    parts = {part.attrib.pop("id", ""): part for part in root.iter("g")}
    frame = {"class": "bar", "viewBox": root.attrib["viewBox"], "preserveAspectRatio": "none"}
    found = []
    for name in names:
        svg = ElementTree.Element("svg", frame | {"aria-hidden": "true"})
        svg.extend(parts[key] for key in (name, shared) if key in parts)
        found.append(Markup(ElementTree.tostring(svg, encoding="unicode")))
    return found


def plain(text: str) -> str:
    """Without characters that XML cannot hold, which names of files may."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def _drawn(figure: Any) -> ElementTree.Element:
    """The figure as matplotlib writes it, without what a page has no use for."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The browser has the letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing", UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())

    for part in root.iter():
        _as_html(part)
    _remove_unused(root)
    return root


def _as_html(part: ElementTree.Element) -> None:
    """Without namespaces and indentation, with the page's font and colours, and short numbers."""
    part.tag = part.tag.rpartition("}")[2]
    part.tail = None
    if part.tag != "text":
        part.text = None
    for name in list(part.attrib):
        value = part.attrib.pop(name)
        if name == "style":
            value = _style(value)
        elif name in ("d", "x", "y", "transform"):
            value = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", value)
            value = " ".join(value.split())
        part.attrib[name.rpartition("}")[2]] = value


def _style(style: str) -> str:
    style = re.sub(r"font: *(?:[^;]*? )?([\d.]+px)[^;]*", r"font-size: \1", style)
    style = re.sub(r"font-family: [^;]*;? ?", "", style)
    for colour, variable in VARIABLES.items():
        style = style.replace(colour, f"var({variable})")
    return style


def _remove_unused(part: ElementTree.Element) -> None:
    """Notes, empty groups, and the style sheet, which would be that of the whole page."""
    for child in list(part):
        _remove_unused(child)
        is_empty = child.tag in ("g", "defs") and len(child) == 0
        if is_empty or child.tag in ("metadata", "style"):
            part.remove(child)


def _make_reading(part: ElementTree.Element, text: str) -> None:
    part.attrib["class"] = "reading"
    for shape in part.iter():
        shape.attrib.pop("style", None)
    title = ElementTree.Element("title")
    title.text = plain(text)
    part.insert(0, title)


def _name_apart(root: ElementTree.Element, label: str) -> None:
    """Give markers, which are drawn by name, names that no other figure of the page has."""
    content = label.encode(errors="replace") + ElementTree.tostring(root)
    prefix = f"f{hashlib.sha256(content).hexdigest()[:8]}-"
    for part in root.iter():
        if "id" in part.attrib:
            part.attrib["id"] = prefix + part.attrib["id"]
        if "href" in part.attrib:
            part.attrib["href"] = f"#{prefix}{part.attrib['href'].removeprefix('#')}"
