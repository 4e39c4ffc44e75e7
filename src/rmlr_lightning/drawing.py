"""Pictures for people: triplets drawn on an image, and curves of a run."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import COCO_OBJECTS

HUMAN = (66, 135, 245)


def _colour(rank: int) -> tuple[int, int, int]:
    """Well-separated hues, none close to the humans' blue."""
    hue = (0.02 + rank * 0.381966) % 1.0
    hue = hue if not 0.52 < hue < 0.68 else (hue + 0.2) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.95)
    return int(red * 255), int(green * 255), int(blue * 255)


def by_pair(found: Detections, threshold: float = 0.0, top: int = 3) -> list[tuple]:
    """Detections grouped by pair: (box_h, box_o, object, [(verb, score), ...]) by the best score of each pair."""
    groups: dict[tuple, list[tuple[int, float]]] = {}
    rows = zip(
        found.boxes_h.tolist(),
        found.boxes_o.tolist(),
        found.objects.tolist(),
        found.verbs.tolist(),
        found.scores.tolist(),
        strict=True,
    )
    for box_h, box_o, thing, verb, score in rows:
        if score >= threshold:
            groups.setdefault((tuple(box_h), tuple(box_o), thing), []).append((verb, score))
    ranked = [
        (*key, sorted(verbs, key=lambda item: -item[1])[:top]) for key, verbs in groups.items()
    ]
    return sorted(ranked, key=lambda item: -item[3][0][1])


def triplets_picture(
    image: Image.Image,
    found: Detections,
    verbs: Sequence[str],
    threshold: float = 0.2,
    most: int = 8,
    top: int = 2,
    caption: str = "",
    width: int = 800,
    least: int = 0,
    entities: Sequence[tuple[Sequence[float], int]] = (),
) -> Image.Image:
    """Boxes, a line for each interaction with its top verbs and scores, and a caption below.

    Humans are blue; an object, its line and its label share a colour. Small images are enlarged to `width` first.

    Args:
        threshold, most, top: least score of a verb, most pairs, most verbs of a pair.
        least: so many pairs are shown even if they score below the threshold.
        entities: (box, COCO index) of what was detected, drawn thin with their names below the interactions.
    """
    scale = max(1.0, width / image.width)
    picture = image.convert("RGB").resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
    )
    draw = ImageDraw.Draw(picture, "RGBA")
    font = ImageFont.load_default(max(13, picture.width // 56))
    line = max(2, picture.width // 320)
    taken: list[tuple[float, float, float, float]] = []
    pairs = by_pair(found, threshold, top)[:most]
    if len(pairs) < least:
        pairs = by_pair(found, 0.0, top)[:least]
    for box, label in entities:
        x1, y1, x2, y2 = (value * scale for value in box)
        draw.rectangle(
            [x1, y1, x2, y2], outline=(*HUMAN, 200) if label == 0 else (255, 255, 255, 200), width=1
        )
        draw.text(
            (x1 + 3, y2 - font.size - 3),
            COCO_OBJECTS[label],
            font=font,
            fill=(255, 255, 255),
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )
    labels = []
    for rank, (box_h, box_o, thing, said) in enumerate(pairs):
        colour = _colour(rank)
        h, o = [[v * scale for v in box] for box in (box_h, box_o)]
        draw.rectangle(h, outline=HUMAN, width=line)
        draw.rectangle(o, outline=colour, width=line)
        start, end = ((h[0] + h[2]) / 2, (h[1] + h[3]) / 2), ((o[0] + o[2]) / 2, (o[1] + o[3]) / 2)
        draw.line([start, end], fill=(*colour, 220), width=line)
        for point, fill in ((start, HUMAN), (end, colour)):
            draw.ellipse(
                [
                    point[0] - 2 * line,
                    point[1] - 2 * line,
                    point[0] + 2 * line,
                    point[1] + 2 * line,
                ],
                fill=fill,
            )
        words = ", ".join(f"{verbs[verb].replace('_', ' ')} {score:.2f}" for verb, score in said)
        labels.append((o, colour, f"{words} · {COCO_OBJECTS[thing]}"))
    for box, colour, text in labels:
        _label(draw, font, picture.size, box, colour, text, taken)
    if caption:
        picture = _captioned(picture, caption, font)
    return picture


def _label(draw, font, size, box, colour, text: str, taken: list) -> None:
    """Write a label at its box, moved down until it covers no earlier one."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = right - left + 8, bottom - top + 6
    x = min(max(0, box[0]), max(0, size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    for _ in range(60):
        if not any(
            x < x2 and x + width > x1 and y < y2 and y + height > y1 for x1, y1, x2, y2 in taken
        ):
            break
        y += height + 1
        if y + height > size[1]:
            y, x = 0, (x + width + 2) % max(1, size[0] - width + 1)
    taken.append((x, y, x + width, y + height))
    draw.rectangle([x, y, x + width, y + height], fill=(*colour, 225))
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140
    draw.text(
        (x + 4 - left, y + 3 - top), text, font=font, fill=(0, 0, 0) if bright else (255, 255, 255)
    )


def _captioned(picture: Image.Image, caption: str, font) -> Image.Image:
    left, top, right, bottom = font.getbbox(caption)
    if right - left > picture.width - 12:
        font = font.font_variant(
            size=max(9, int(font.size * (picture.width - 12) / (right - left)))
        )
        left, top, right, bottom = font.getbbox(caption)
    strip = bottom - top + 14
    sheet = Image.new("RGB", (picture.width, picture.height + strip), (250, 250, 250))
    sheet.paste(picture, (0, 0))
    ImageDraw.Draw(sheet).text(
        (6 - left, picture.height + 7 - top), caption, font=font, fill=(40, 40, 40)
    )
    return sheet


def contact_sheet(
    pictures: Sequence[Image.Image], columns: int = 3, width: int = 640
) -> Image.Image:
    """Pictures side by side, each scaled to one width."""
    tiles = [
        p.resize((width, round(p.height * width / p.width)), Image.Resampling.LANCZOS)
        for p in pictures
    ]
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) for row in rows]
    sheet = Image.new("RGB", (columns * width, sum(heights)), (255, 255, 255))
    for row, top in zip(rows, [sum(heights[:i]) for i in range(len(rows))], strict=True):
        for column, tile in enumerate(row):
            sheet.paste(tile, (column * width, top))
    return sheet


def curves(history: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Loss and mAP over epochs as one PNG. `history`: for each metric its (epoch, value) points."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for name, points in sorted(history.items()):
        axis = losses if "loss" in name else scores
        axis.plot(*zip(*points, strict=True), marker="o", markersize=2.5, linewidth=1.2, label=name)
    losses.set(xlabel="epoch", ylabel="loss", title="Training loss")
    scores.set(xlabel="epoch", ylabel="average precision", title="Validation", ylim=(0, 1))
    for axis in (losses, scores):
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        if axis.lines:
            axis.legend(fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)
