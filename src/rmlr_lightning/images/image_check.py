"""Which images of a data set are missing, unreadable or of another size than annotated."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from rmlr_lightning.errors import UserError, counted, raise_limits
from rmlr_lightning.files import write_atomic
from rmlr_lightning.images.image_file import (
    QUARTER_TURNS,
    ImageFolders,
    opened,
    orientation_of,
    refusal_of_mode,
    upright_rgb,
)
from rmlr_lightning.types import BoxTarget, Target

THREADS = 8
CHUNK = 64  # images per task of a thread: a task costs as much as an image
VERSION = 1  # of the notes; raise it when a check changes
MARGIN = 2.0  # pixels by which boxes may end outside, as in `annotations.boxes`
TIFF_WIDTH, TIFF_HEIGHT = 256, 257  # tags
PNG_METADATA = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
Track = Callable[[Iterable, int], Iterable]  # (results, their number): shows progress


class ImageFacts(NamedTuple):
    """What a file system and the header of an image hold."""

    bytes: int = 0
    height: int = 0  # as stored; 0 if the file is not a readable image
    width: int = 0
    orientation: int = 1  # EXIF; 1 = as stored
    refusal: str = ""  # why the image cannot be used


class Annotated(NamedTuple):
    """What annotations state about an image."""

    name: str
    size: tuple[int, int]  # (height, width); (0, 0) where it is not known
    # largest (y, x) of its boxes, in pixels; compared with files where the size is not known
    reach: tuple[float, float] = (0.0, 0.0)


class ImageReport(NamedTuple):
    """Names of images by what is wrong with them, and the bytes of all that exist."""

    missing: list[str]
    unreadable: list[str]
    other_size: list[str]  # neither the stored nor the rotated size is the annotated one
    outside: list[str]  # no size is annotated, and a box ends outside the image
    rotated: list[str]  # EXIF rotates by a quarter turn, but the annotation has the stored size
    turned: list[str]  # EXIF mirrors or turns it, and no annotated size reveals which is meant
    bytes: dict[str, int]


PROBLEMS = {
    "missing": "missing",
    "unreadable": "not readable",
    "other_size": "of another size than annotated",
    "outside": "with boxes that end outside",
}
NOTES = {
    "rotated": "with an EXIF rotation that the annotations lack, read as stored",
    "turned": "with an EXIF orientation that sizes do not reveal, read as viewers show them",
}


def annotated_images(targets: Sequence[Target | BoxTarget]) -> list[Annotated]:
    """What the targets state about their images."""
    images = []
    for target in targets:
        height, width = target.size.tolist()
        # boxes have been compared with a size that is known when they were read
        reach = (0.0, 0.0) if height and width else _reach(target)
        images.append(Annotated(target.file_name, (height, width), reach))
    return images


def _reach(target: Target | BoxTarget) -> tuple[float, float]:
    """The largest y and x of the boxes, in pixels."""
    groups = [target.boxes] if isinstance(target, BoxTarget) else [target.boxes_h, target.boxes_o]
    # the boxes of empty roles are NaN
    largest = [group[:, 2:].nan_to_num(0.0).amax(0).tolist() for group in groups if len(group)]
    return max((y for _, y in largest), default=0.0), max((x for x, _ in largest), default=0.0)


def check_images(
    find: Callable[[str], Path],
    images: Sequence[Annotated],
    decode: bool = False,
    track: Track = lambda results, count: results,
) -> ImageReport:
    """Compare image files with their annotations; nothing is changed.

    Args:
        find: the path of an image's file name.
        images: what is annotated, per image.
        decode: read all pixels, which finds truncated files, but takes minutes; else headers only.
        track: shows progress.
    """
    # Reading headers waits for the disk: threads overlap the waiting, on network disks most of all.
    report = ImageReport([], [], [], [], [], [], {})

    def facts_of(chunk: Sequence[Annotated]) -> list[ImageFacts | None]:
        return [_facts(find(image.name), image.size, decode) for image in chunk]

    with ThreadPoolExecutor(THREADS) as pool:
        results = chain.from_iterable(pool.map(facts_of, _chunks(images)))
        for image, facts in zip(images, track(results, len(images)), strict=True):
            if facts is None:
                report.missing.append(image.name)
                continue
            report.bytes[image.name] = facts.bytes
            _compare(report, image, facts)
    return report


def remembered_check(
    folders: ImageFolders, images: Sequence[Annotated], notes: Path | None
) -> ImageReport:
    """As `check_images`, without reading a file again that has not changed.

    Args:
        notes: a folder that keeps reports under a hash of names, sizes and times of the files and
            of what is annotated. A folder that cannot be written keeps none.
    """
    if notes is None:
        return check_images(folders.__truediv__, images)
    note = notes / f"{_key(folders, images)}.json"
    try:
        return ImageReport(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):  # none yet, or a damaged one
        report = check_images(folders.__truediv__, images)
    try:
        notes.mkdir(parents=True, exist_ok=True)
        write_atomic(note, json.dumps(report._asdict()).encode())
    except (OSError, UserError):
        pass  # a read-only folder costs the next run some seconds
    return report


def problems_of(report: ImageReport) -> str:
    """What forbids a run, in one line; empty if nothing does."""
    return "; ".join(_listed(report, PROBLEMS))


def notes_of(report: ImageReport) -> list[str]:
    """What the user should know."""
    return _listed(report, NOTES)


def _listed(report: ImageReport, kinds: dict[str, str]) -> list[str]:
    parts = []
    for field, text in kinds.items():
        names = getattr(report, field)
        if names:
            first = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            parts.append(f"{counted(len(names), 'image')} {text}: {first}")
    return parts


def _compare(report: ImageReport, image: Annotated, facts: ImageFacts) -> None:
    # exactly one finding per image, the most serious one first
    name, size, reach = image
    stored = (facts.height, facts.width)
    if facts.refusal or not all(stored):
        report.unreadable.append(f"{name} ({facts.refusal})" if facts.refusal else name)
        return
    is_quarter_turn = facts.orientation in QUARTER_TURNS
    # what viewers and most annotation tools show; MATLAB and older readers show it as stored
    shown = stored[::-1] if is_quarter_turn else stored
    if is_quarter_turn and size == stored != shown:
        report.rotated.append(name)
    elif all(size) and size != shown:
        text = f"{name} (file {shown[1]}x{shown[0]}, annotated {size[1]}x{size[0]})"
        report.other_size.append(text)
    elif not all(size) and (reach[0] > shown[0] + MARGIN or reach[1] > shown[1] + MARGIN):
        text = f"{name} (file {shown[1]}x{shown[0]}, boxes to {reach[1]:.0f}, {reach[0]:.0f})"
        report.outside.append(text)
    elif facts.orientation != 1 and (not is_quarter_turn or not all(size) or shown == stored):
        report.turned.append(name)


def _chunks(images: Sequence[Annotated]) -> list[Sequence[Annotated]]:
    return [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]


def _key(folders: ImageFolders, images: Sequence[Annotated]) -> str:
    """A hash that changes when a file or its annotation does, without reading any file."""

    def rows_of(chunk: Sequence[Annotated]) -> list[tuple]:
        rows = []
        for image in chunk:
            path = folders / image.name
            try:
                stat = os.stat(path)
                rows.append((str(path), stat.st_size, stat.st_mtime_ns, *image))
            except (OSError, ValueError):  # missing; a ValueError: a name with a null byte
                rows.append((str(path), *image))
        return rows

    with ThreadPoolExecutor(THREADS) as pool:
        rows = list(chain.from_iterable(pool.map(rows_of, _chunks(images))))
    # resolved: a relative path or a link may point elsewhere next time
    resolved = [str(folder.resolve()) for folder in folders.paths]
    return hashlib.sha256(json.dumps([VERSION, resolved, rows]).encode()).hexdigest()


def _facts(path: Path, annotated: tuple[int, int], decode: bool) -> ImageFacts | None:
    """None if there is no such file."""
    try:
        size = os.stat(path).st_size
    except (OSError, ValueError):
        return None
    try:
        with opened(path) as file:
            width, height = file.size
            if file.format == "TIFF":  # Pillow gives the rotated size of these
                width, height = file.tag_v2[TIFF_WIDTH], file.tag_v2[TIFF_HEIGHT]
            # PNG may have EXIF data after its pixels, for which Pillow decodes them all: only done
            # where the size needs an explanation
            is_quick = file.format != "PNG" or decode or not PNG_METADATA.isdisjoint(file.info)
            is_open = all(annotated) and annotated != (height, width)
            orientation = orientation_of(file) if is_quick or is_open else 1
            refusal = refusal_of_mode(file.mode, file.format)
            # the header of a truncated file is whole: only its pixels are missing
            if decode and not refusal:
                refusal = _refusal_of_pixels(file)
    # Pillow raises errors of any class for broken files of its many formats
    except Exception as error:
        raise_limits(error)
        return ImageFacts(size)
    return ImageFacts(size, height, width, orientation, refusal)


def _refusal_of_pixels(file: Image.Image) -> str:
    """Why the pixels cannot be used; empty if they can. Broken files raise what Pillow raises."""
    try:
        upright_rgb(file)
    except ValueError as error:
        return " ".join(str(error).split()) or "not readable"
    return ""
