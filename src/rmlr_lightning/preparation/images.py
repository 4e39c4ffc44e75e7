"""Which images of a data set are missing, unreadable or of another size than annotated."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

THREADS = 8
ORIENTATION = 0x0112  # the EXIF tag
QUARTER_TURNS = (5, 6, 7, 8)  # its values that swap width and height
Track = Callable[[Iterable, int], Iterable]  # (results, their number): shows progress


class ImageFacts(NamedTuple):
    """What a file system and the header of an image hold."""

    bytes: int = 0
    height: int = 0  # as stored; 0 if the file is not a readable image
    width: int = 0
    orientation: int = 1  # EXIF; 1 = as stored


class ImageReport(NamedTuple):
    """Names of images by what is wrong with them, and the bytes of all that exist."""

    missing: list[str]
    unreadable: list[str]
    other_size: list[str]  # neither the stored nor the rotated size is the annotated one
    rotated: list[str]  # EXIF rotates by a quarter turn, but the annotation has the stored size
    turned: list[str]  # EXIF mirrors or turns by 180 degrees, which no size reveals
    bytes: dict[str, int]


def check_images(
    find: Callable[[str], Path],
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    decode: bool = False,
    track: Track = lambda results, count: results,
) -> ImageReport:
    """Compare image files with their annotations; nothing is changed.

    Args:
        find: the path of an image's file name.
        names: the images' file names.
        sizes: the annotated (height, width) of each; (0, 0) where it is not known.
        decode: read all pixels, which finds truncated files, but takes minutes; else headers only.
        track: shows progress.
    """
    # Reading headers waits for the disk: threads overlap the waiting, on network disks most of all.
    report = ImageReport([], [], [], [], [], {})
    with ThreadPoolExecutor(THREADS) as pool:
        results = pool.map(lambda name: _facts(find(name), decode), names)
        for name, size, facts in zip(names, sizes, track(results, len(names)), strict=True):
            if facts is None:
                report.missing.append(name)
                continue
            report.bytes[name] = facts.bytes
            _compare(report, name, facts, size)
    return report


def _compare(report: ImageReport, name: str, facts: ImageFacts, size: tuple[int, int]) -> None:
    # exactly one finding per image, the most serious one first
    stored = (facts.height, facts.width)
    if not all(stored):
        report.unreadable.append(name)
        return
    is_quarter_turn = facts.orientation in QUARTER_TURNS
    # what viewers and most annotation tools show; MATLAB and older readers show it as stored
    shown = stored[::-1] if is_quarter_turn else stored
    if is_quarter_turn and size == stored != shown:
        report.rotated.append(name)
    elif all(size) and size != shown:
        text = f"{name} (file {shown[1]}x{shown[0]}, annotated {size[1]}x{size[0]})"
        report.other_size.append(text)
    elif facts.orientation in (2, 3, 4):
        report.turned.append(name)


def _facts(path: Path, decode: bool) -> ImageFacts | None:
    """None if there is no such file."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return None
    try:
        with Image.open(path) as file:
            orientation = file.getexif().get(ORIENTATION, 1)
            height, width = file.height, file.width
            # the header of a truncated file is whole: only its pixels are missing
            if decode:
                file.load()
    # what PIL raises for broken files of its many formats
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return ImageFacts(size)
    return ImageFacts(size, height, width, orientation)
