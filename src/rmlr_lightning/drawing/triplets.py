"""Human-object interactions drawn on an image."""

import colorsys
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from rmlr_lightning.drawing.labels import Box, add_caption, place_label
from rmlr_lightning.errors import counted
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import Vocabulary

HUMAN_COLOUR = (66, 135, 245)
GREY = (90, 98, 110)

MAX_LABEL = 0.6  # width of a label, in widths of the image


class DetectedPair(NamedTuple):
    """A human-object pair and its verbs."""

    box_h: Box  # xyxy in pixels
    box_o: Box
    object: int  # class
    verbs: list[tuple[int, float]]  # (verb, score), best first


def group_by_pair(detections: Detections, score_threshold: float = 0.0) -> list[DetectedPair]:
    """The detected pairs of an image, sorted by the score of their best verb.

    Args:
        score_threshold: verbs with a lower score are left out, and pairs without any verb.
    """
    rows = zip(
        detections.boxes_h.tolist(),
        detections.boxes_o.tolist(),
        detections.objects.tolist(),
        detections.verbs.tolist(),
        detections.scores.tolist(),
        strict=True,
    )
    # Detections have one row per verb; rows with equal boxes and object are one pair.
    verbs_of_pair: dict[tuple[Box, Box, int], list[tuple[int, float]]] = {}
    for box_h, box_o, object_index, verb, score in rows:
        if score >= score_threshold:
            key = (tuple(box_h), tuple(box_o), object_index)
            verbs_of_pair.setdefault(key, []).append((verb, score))

    pairs = []
    for (box_h, box_o, object_index), verbs in verbs_of_pair.items():
        verbs.sort(key=lambda verb: -verb[1])
        pairs.append(DetectedPair(box_h, box_o, object_index, verbs))
    return sorted(pairs, key=lambda pair: -pair.verbs[0][1])


def draw_triplets(
    image: Image.Image,
    detections: Detections,
    vocabulary: Vocabulary,
    score_threshold: float = 0.2,
    max_pairs: int = 8,
    caption: str = "",
    width: int = 800,
) -> Image.Image:
    """A copy of the image with the boxes of each pair, a line between them, and its verbs.

    Human boxes are blue. An object box, its line and its label share one colour. What there is no
    room for is counted: "+1" in a label for a verb, "+1 pair" in the lower left corner for a pair.

    Args:
        detections: of this image, boxes in its pixels.
        vocabulary: names of verbs and objects.
        score_threshold: verbs with a lower score are not drawn.
        max_pairs: pairs drawn, best first.
        caption: a line below the image; empty for none.
        width: a narrower image is enlarged to this width first.
    """
    # Labels have a size in pixels: on a small image they would cover everything.
    scale = max(1.0, width / image.width)
    size = (round(image.width * scale), round(image.height * scale))
    canvas = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(canvas, "RGBA")
    font = ImageFont.load_default(max(13, canvas.width // 56))
    line_width = max(2, canvas.width // 320)

    found = group_by_pair(detections, score_threshold)
    pairs = found[:max_pairs]

    for rank, pair in enumerate(pairs):
        _draw_pair(
            draw, _scaled(pair.box_h, scale), _scaled(pair.box_o, scale), _colour(rank), line_width
        )
    # Text comes last, so that no box or line crosses it.
    occupied: list[Box] = []
    if len(found) > len(pairs):
        corner = (0, canvas.height)
        more = f"+{counted(len(found) - len(pairs), 'pair')}"
        place_label(draw, font, canvas.size, corner, more, GREY, occupied)
    for rank, pair in enumerate(pairs):
        left, top, _, _ = _scaled(pair.box_o, scale)
        text = label_of(pair, vocabulary, font, MAX_LABEL * canvas.width)
        place_label(draw, font, canvas.size, (left, top), text, _colour(rank), occupied)

    return add_caption(canvas, caption, font) if caption else canvas


def _draw_pair(
    draw: ImageDraw.ImageDraw, box_h: Box, box_o: Box, colour: tuple[int, int, int], width: int
) -> None:
    """Both boxes, and a line with round ends between their centres."""
    draw.rectangle(box_h, outline=HUMAN_COLOUR, width=width)
    draw.rectangle(box_o, outline=colour, width=width)

    centre_h = ((box_h[0] + box_h[2]) / 2, (box_h[1] + box_h[3]) / 2)
    centre_o = ((box_o[0] + box_o[2]) / 2, (box_o[1] + box_o[3]) / 2)
    draw.line([centre_h, centre_o], fill=(*colour, 220), width=width)
    radius = 2 * width
    for (x, y), fill in ((centre_h, HUMAN_COLOUR), (centre_o, colour)):
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)


def label_of(pair: DetectedPair, vocabulary: Vocabulary, font, width: float) -> str:
    """All verbs of a pair and its object, or the best verbs that fit and the number of others.

    Args:
        width: of the label, in pixels. The best verb is named even if it is wider.
    """
    scored = [
        f"{vocabulary.verbs[verb].replace('_', ' ')} {score:.2f}" for verb, score in pair.verbs
    ]
    for count in range(len(scored), 0, -1):
        hidden = len(scored) - count
        shown = [*scored[:count], f"+{hidden}"] if hidden else scored
        text = f"{', '.join(shown)} · {vocabulary.objects[pair.object]}"
        if font.getlength(text) <= width:
            break
    return text


def _scaled(box: Sequence[float], scale: float) -> Box:
    x1, y1, x2, y2 = box
    return x1 * scale, y1 * scale, x2 * scale, y2 * scale


def _colour(rank: int) -> tuple[int, int, int]:
    """Well-separated hues, none close to the blue of human boxes."""
    hue = (0.02 + rank * 0.381966) % 1.0  # steps of the golden ratio
    if 0.52 < hue < 0.68:
        hue = (hue + 0.2) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.95)
    return int(red * 255), int(green * 255), int(blue * 255)
