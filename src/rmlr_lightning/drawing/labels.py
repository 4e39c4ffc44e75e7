"""Text on images: labels that do not cover each other, and captions."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

BACKGROUND = (250, 250, 250)
TEXT = (40, 40, 40)

Box = tuple[float, float, float, float]


def place_label(
    draw: ImageDraw.ImageDraw,
    font,
    size: tuple[int, int],
    corner: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
    occupied: list[Box],
) -> None:
    """Write a label above a corner, or further down where earlier labels are in the way.

    Args:
        size: (width, height) of the image.
        corner: upper left corner of the labelled box.
        colour: background of the label; its text is black or white, whichever contrasts.
        occupied: xyxy boxes of earlier labels; the new one is appended.
    """
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = right - left + 8, bottom - top + 6
    x = min(max(0, corner[0]), max(0, size[0] - width))
    y = corner[1] - height if corner[1] >= height else corner[1]

    # Move down line by line; at the lower edge start again at the top, further right.
    # A crowded image may have no free place: after 60 steps an overlap is accepted.
    for _ in range(60):
        if not _covered((x, y, x + width, y + height), occupied):
            break
        y += height + 1
        if y + height > size[1]:
            y = 0
            x = (x + width + 2) % max(1, size[0] - width + 1)
    occupied.append((x, y, x + width, y + height))

    draw.rectangle([x, y, x + width, y + height], fill=(*colour, 225))
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    fill = (0, 0, 0) if luminance > 140 else (255, 255, 255)
    draw.text((x + 4 - left, y + 3 - top), text, font=font, fill=fill)


def _covered(box: Box, others: Sequence[Box]) -> float:
    """The area of a box that others cover, each counted by itself."""
    return sum(
        max(0, min(box[2], x2) - max(box[0], x1)) * max(0, min(box[3], y2) - max(box[1], y1))
        for x1, y1, x2, y2 in others
    )


def add_caption(image: Image.Image, caption: str, font) -> Image.Image:
    """The image with a strip below it that holds the caption in one line."""
    # A caption that is too wide gets a smaller font, down to 9 pixels, and is cut beyond that.
    left, top, right, bottom = font.getbbox(caption)
    if right - left > image.width - 12:
        smaller = int(font.size * (image.width - 12) / (right - left))
        font = font.font_variant(size=max(9, smaller))
        left, top, right, bottom = font.getbbox(caption)

    # `getbbox` starts at the font's origin: subtract left and top to place the ink itself.
    strip = bottom - top + 14
    captioned = Image.new("RGB", (image.width, image.height + strip), BACKGROUND)
    captioned.paste(image, (0, 0))
    position = (6 - left, image.height + 7 - top)
    ImageDraw.Draw(captioned).text(position, caption, font=font, fill=TEXT)
    return captioned
