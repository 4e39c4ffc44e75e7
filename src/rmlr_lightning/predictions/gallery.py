"""A page with all images and their triplets, filtered by verb, object and probability.

One file that opens offline: thumbnails are inside, drawings are linked.
"""

import base64
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment

from rmlr_lightning.drawing.thumbnail import thumbnail
from rmlr_lightning.errors import counted
from rmlr_lightning.hub.named_detections import Interaction
from rmlr_lightning.hub.result import Result, certainty

WIDTH = 400  # of a thumbnail, in pixels
# The page has all likely triplets of an image and the best others up to this number, from this
# percentage on. The rest is in the JSON files only.
MAX_TRIPLETS = 20
MIN_PERCENT = 5
COLOURS = 8  # of pairs on an image; page.html.j2 has them


class Card(NamedTuple):
    """An image on the page."""

    title: str
    link: str  # to the drawing, relative to the page
    thumbnail: str  # data URI
    size: tuple[int, int]  # width and height, in which boxes count
    triplets: list[dict[str, Any]]
    left_out: int  # triplets that are in the JSON file only


def card_of(result: Result, title: str, drawing: Path) -> Card:
    """The card of a result.

    Args:
        drawing: relative to the folder of the page.
    """
    shown = _shown(result)
    # verbs of one pair share a colour
    pairs = list(dict.fromkeys((row.box_h, row.box_o) for row in shown))
    triplets = [_triplet(row, pairs.index((row.box_h, row.box_o))) for row in shown]
    # a name may have characters with a meaning in addresses, such as #, or bytes that are no UTF-8
    link = "/".join(quote(os.fsencode(part)) for part in drawing.parts)
    jpeg = base64.b64encode(thumbnail(result.image, WIDTH)).decode()
    left_out = len(result) - len(shown)
    source = f"data:image/jpeg;base64,{jpeg}"
    return Card(title, link, source, result.image.size, triplets, left_out)


def page(
    cards: list[Card],
    title: str,
    left_out: int,
    is_calibrated: bool,
    note: str = "",
    unread: Sequence[str] = (),
) -> str:
    """The page as HTML; all text is escaped.

    Args:
        left_out: number of images that are not on it.
        is_calibrated: whether the numbers are probabilities, not scores.
        note: what readers should know of the model; a sentence without its point.
        unread: names of files that have no results.
    """
    source = files("rmlr_lightning.predictions").joinpath("page.html.j2")
    # escapes by itself: names of files are anybody's
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["counted"] = counted
    template = environment.from_string(source.read_text(encoding="utf-8"))
    triplets = [triplet for card in cards for triplet in card.triplets]
    return template.render(
        title=title,
        cards=cards,
        verbs=sorted({triplet["verb"] for triplet in triplets}),
        objects=sorted({triplet["object"] for triplet in triplets}),
        left_out=left_out,
        triplets_left_out=sum(card.left_out for card in cards),
        max_triplets=MAX_TRIPLETS,
        # a likely triplet may lie below
        lowest=min([MIN_PERCENT, *(triplet["percent"] for triplet in triplets)]),
        min_percent=MIN_PERCENT,
        note=note,
        unread=unread,
        number="probability" if is_calibrated else "score",
    )


def _shown(result: Result) -> list[Interaction]:
    """The triplets that are on the page, best first."""
    room = MAX_TRIPLETS - len(result.likely)
    shown = []
    for triplet in result:
        is_other = not triplet.likely and 100 * certainty(triplet) >= MIN_PERCENT
        if triplet.likely or (is_other and room > 0):
            shown.append(triplet)
            room -= is_other
    return shown


def _triplet(row: Interaction, pair: int) -> dict[str, Any]:
    return {
        "verb": row.verb.replace("_", " "),
        "object": row.object,
        "percent": round(100 * certainty(row)),
        "likely": row.likely,
        "colour": pair % COLOURS,
        "human": _rectangle(row.box_h),
        "box": _rectangle(row.box_o),
    }


def _rectangle(box: tuple[float, ...]) -> dict[str, float]:
    x1, y1, x2, y2 = (round(value, 1) for value in box)
    return {"x": x1, "y": y1, "width": round(x2 - x1, 1), "height": round(y2 - y1, 1)}
