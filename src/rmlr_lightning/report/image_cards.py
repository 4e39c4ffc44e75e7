"""Images of a test with their annotated and detected pairs, as a page shows them."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rmlr_lightning.errors import counted, printable
from rmlr_lightning.metrics.hicodet import PairTable
from rmlr_lightning.report.run_record import RunRecord, small_image
from rmlr_lightning.scoring.record import TestRecord, extremes

SHOWN = 6  # images of a kind on a page
ROWS = 6  # detections of an image


class ShownPair(NamedTuple):
    """A pair on an image, in its pixels."""

    label: str
    human: tuple[float, ...]  # x, y, width, height
    object: tuple[float, ...]
    line: tuple[float, ...]  # from centre to centre
    score: str = ""
    true: bool = True


class ImageCard(NamedTuple):
    """An image with its pairs."""

    name: str
    caption: str
    width: int
    height: int
    source: str | None  # data URI of a JPEG
    annotated: list[ShownPair]
    detected: list[ShownPair]


def best_and_worst(record: RunRecord) -> dict[str, list[ImageCard]]:
    """The images with the highest and with the lowest AP."""
    test = record.test
    best, worst = extremes(test.image_ap, test.truth.images, SHOWN)
    return {
        "best": [image_card(record, image) for image in best],
        "worst": [image_card(record, image) for image in worst],
    }


def most_changed(a: RunRecord, b: RunRecord) -> list[tuple[int, float]]:
    """The images whose AP differs most between two runs, half of them gains: (image, B - A)."""
    # Images without annotations have no AP, and so no change.
    difference = np.nan_to_num(b.test.image_ap - a.test.image_ap)
    order = np.argsort(-difference, kind="stable").tolist()
    gained = [image for image in order[: SHOWN // 2] if difference[image] > 0]
    lost = [image for image in order[::-1][: SHOWN // 2] if difference[image] < 0]
    return [(image, float(difference[image])) for image in (*gained, *lost)]


def image_card(record: RunRecord, image: int, caption: str | None = None) -> ImageCard:
    """One image of the test split by its number."""
    test = record.test
    name = test.file_names[image]
    height, width = (int(side) for side in test.sizes[image])
    truth = np.flatnonzero(test.truth.images == image)
    rows = np.flatnonzero(test.best.table.images == image)[:ROWS]
    if not width or not height:  # an annotation file without sizes
        width, height = _extent(test, truth, rows)
    if caption is None:
        caption = f"AP of the image {100 * test.image_ap[image]:.0f}\N{NO-BREAK SPACE}%"
    return ImageCard(
        name=name,
        caption=caption,
        width=width,
        height=height,
        source=jpeg_uri(small_image(record, name)),
        annotated=[shown_pair(test, test.truth, row) for row in truth],
        detected=[
            shown_pair(
                test,
                test.best.table,
                row,
                score=f"{test.best.scores[row]:.2f}",
                true=bool(test.best.true[row]),
            )
            for row in rows
        ],
    )


def missing_images(record: RunRecord, cards: Iterable[ImageCard]) -> list[str]:
    """A sentence with the way out where image files of a run were not found; else nothing."""
    missing = {card.name for card in cards if card.source is None}
    if not missing or record.image_folders is None:
        return []
    folder = printable(str(record.image_folders.paths[0]))
    return [
        f"Not found: {counted(len(missing), 'image file')}. The run read its test images from "
        f"{folder}. Start rmlr-report in the folder in which the run was trained, or set "
        "RMLR_DATA to its folder of data sets."
    ]


def shown_pair(test: TestRecord, table: PairTable, row: int, **more: Any) -> ShownPair:
    """A row of a table of pairs."""
    label = test.vocabulary.hoi_name(int(table.hois[row]))
    return pair_of_boxes(label, table.boxes_h[row], table.boxes_o[row], **more)


def pair_of_boxes(
    label: str, human: Sequence[float], obj: Sequence[float], **more: Any
) -> ShownPair:
    """From boxes as corners."""
    # Tenths of a pixel: a page has thousands of these numbers.
    corners = [[round(float(x), 1) for x in box] for box in (human, obj)]
    boxes = [(x1, y1, round(x2 - x1, 1), round(y2 - y1, 1)) for x1, y1, x2, y2 in corners]
    line = [(a + b) / 2 for x1, y1, x2, y2 in corners for a, b in ((x1, x2), (y1, y2))]
    return ShownPair(label, *boxes, tuple(round(x, 1) for x in line), **more)


def jpeg_uri(content: bytes | None) -> str | None:
    """A JPEG file as the address of an <img>."""
    return content and f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _extent(test: TestRecord, truth: np.ndarray, rows: np.ndarray) -> tuple[int, int]:
    """Width and height that hold all boxes."""
    boxes = [getattr(test.truth, name)[truth] for name in ("boxes_h", "boxes_o")]
    boxes += [getattr(test.best.table, name)[rows] for name in ("boxes_h", "boxes_o")]
    corners = np.concatenate(boxes)
    if not len(corners):
        return 1, 1
    return int(np.nanmax(corners[:, 2])) + 1, int(np.nanmax(corners[:, 3])) + 1
