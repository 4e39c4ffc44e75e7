"""A page of images with their pairs: the human box, the object box, a line between them, verbs."""

import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

# RGB.
HUMAN = (255, 214, 10)
OBJECT = (0, 190, 255)
LINK = (255, 255, 255)

FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE = 0.46

# How many of the remaining images are compared for the next tile.
CANDIDATES = 200


def write_contact_sheet(
    root: str | Path, path: str | Path, count: int = 24, columns: int = 4
) -> None:
    """Writes a page of images from the first split that has some, with as many verbs as possible.

    Args:
        root: Folder of the world.
        path: The file to write, PNG or JPEG.
        count: Number of images; columns: of the page.
    """
    root = Path(root)
    split = first_split(root)
    if split is None:
        return

    folder = root / "hico_20160224_det"
    data = json.loads((folder / f"instances_{split}2015.json").read_text(encoding="utf-8"))

    tiles = []
    for i in varied_images(data, count):
        image = cv2.imread(str(folder / f"images/{split}2015" / data["filenames"][i]))
        rgb = image[:, :, ::-1]
        tile = annotate(rgb, data["annotation"][i], data["verbs"], data["objects"])
        white = (255, 255, 255)
        tiles.append(cv2.copyMakeBorder(tile, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=white))

    # Fill the last row.
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))

    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    page = np.vstack(rows)
    cv2.imwrite(str(path), page[:, :, ::-1])


def first_split(root: Path) -> str | None:
    """The first split with images."""
    for split in ("train", "val", "test"):
        if any((root / f"hico_20160224_det/images/{split}2015").iterdir()):
            return split
    return None


def varied_images(data: dict, count: int) -> list[int]:
    """Indices of up to `count` images with pairs: each adds as many new verbs as possible."""
    verbs_of = [set(row["verb"]) for row in data["annotation"]]
    remaining = [i for i, row in enumerate(data["annotation"]) if row["hoi"]]
    covered: set[int] = set()
    picked: list[int] = []
    while remaining and len(picked) < count:
        best = max(remaining[:CANDIDATES], key=lambda i: len(verbs_of[i] - covered))
        picked.append(best)
        remaining.remove(best)

        # Start over when all verbs are on the page.
        covered = covered | verbs_of[best]
        if len(covered) == len(data["verbs"]):
            covered = set()
    return picked


def annotate(image: np.ndarray, row: dict, verbs: list[str], objects: list[str]) -> np.ndarray:
    """A copy of an RGB image with its pairs drawn on it; `row` as in the instances JSON."""
    image = image.copy()

    # A pair has one row per verb: collect its verbs for one line of text.
    verbs_of_pair = defaultdict(list)
    fields = (row["boxes_h"], row["boxes_o"], row["object"], row["verb"])
    for box_h, box_o, obj, verb in zip(*fields, strict=True):
        key = (tuple(box_h), tuple(box_o), objects[obj])
        verbs_of_pair[key].append(verbs[verb].replace("_", " "))

    for box_h, box_o, _ in verbs_of_pair:
        draw_pair(image, box_h, box_o)

    # Text last, so that no line crosses it; each below the others that are near.
    baselines: list[int] = []
    for (box_h, _, name), names in verbs_of_pair.items():
        draw_text(image, f"{', '.join(names)}: {name}", box_h, baselines)
    return image


def draw_pair(image: np.ndarray, box_h: tuple, box_o: tuple) -> None:
    """Both boxes and a line between their centres, in place."""
    centres = []
    for box, color in ((box_h, HUMAN), (box_o, OBJECT)):
        corners = (int(box[0]), int(box[1])), (int(box[2]), int(box[3]))
        cv2.rectangle(image, *corners, color, 2, cv2.LINE_AA)
        centres.append((int((box[0] + box[2]) / 2), int((box[1] + box[3]) / 2)))

    cv2.line(image, *centres, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.line(image, *centres, LINK, 2, cv2.LINE_AA)


def draw_text(image: np.ndarray, text: str, box: tuple, baselines: list[int]) -> None:
    """Text over the top of a box, in place; `baselines` are the lines of text drawn so far."""
    (width, height), _ = cv2.getTextSize(text, FONT, FONT_SCALE, 1)
    x = int(min(max(box[0], 2), image.shape[1] - width - 6))
    y = int(max(box[1] - 4, height + 6))
    while any(abs(y - other) < height + 8 for other in baselines):
        y += height + 9
    baselines.append(y)

    back = (20, 20, 25)
    cv2.rectangle(image, (x - 2, y - height - 4), (x + width + 4, y + 4), back, -1)
    cv2.putText(image, text, (x + 1, y), FONT, FONT_SCALE, LINK, 1, cv2.LINE_AA)
