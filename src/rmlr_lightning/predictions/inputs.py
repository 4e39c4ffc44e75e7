"""What rmlr-predict reads: images, folders of images, and frames of videos."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
from PIL import Image

from rmlr_lightning.errors import UserError
from rmlr_lightning.images.image_file import images_in, open_image

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


class Frame(NamedTuple):
    """An image file, or a frame of a video."""

    path: Path  # of the file
    image: Image.Image  # RGB; its `filename` is what messages call it
    number: int | None = None  # of the frame, from 0
    seconds: float | None = None  # from the beginning of the video


def is_video(path: Path) -> bool:
    """By the ending of the name."""
    return path.suffix.lower() in VIDEOS


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The given images and videos, and the images inside the given folders, sorted.

    Raises:
        UserError: a path does not exist, a folder has no images, or two files have one name.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += images_in(path)
        elif path.suffix == ".ckpt":
            raise UserError(f"{path}: not an image; give a checkpoint as --checkpoint {path}")
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"{path}: no such image or folder")

    # Results are named by the stem: a.jpg and a.png would both write a.json.
    stems: set[str] = set()
    for path in found:
        if path.stem in stems:
            raise UserError(
                f"two images are called {path.stem}: their results would overwrite each other; "
                "predict them into two folders"
            )
        stems.add(path.stem)
    return found


def count_frames(paths: Sequence[Path], every: int) -> int | None:
    """How many frames `frames` will give if all can be read.

    None where a video does not state its length. A video that cannot be read counts as one.
    """
    total = 0
    for path in paths:
        video = _opened(path) if is_video(path) else None
        if video is None:
            total += 1
            continue
        length = _length(video)
        video.release()
        if length is None:
            return None
        total += -(-length // every)
    return total


def frames(
    paths: Sequence[Path],
    every: int,
    skip: Callable[[UserError], None],
    note: Callable[[str], None],
) -> Iterator[Frame]:
    """The images, and of each video every so many frames, from the first one on.

    Args:
        skip: is given the error of each file that cannot be read. It may raise it.
        note: is given a line on each video that lacks frames.
    """
    for path in paths:
        if is_video(path):
            yield from _frames_of(path, every, skip, note)
            continue
        try:
            image = open_image(path)
        except UserError as error:
            skip(error)
            continue
        yield Frame(path, _named(image, str(path)))


def _frames_of(
    path: Path,
    every: int,
    skip: Callable[[UserError], None],
    note: Callable[[str], None],
) -> Iterator[Frame]:
    video = _opened(path)
    if video is None:
        skip(UserError(f"{path}: not a readable video"))
        return
    number = 0
    try:
        length = _length(video)
        # `grab` decodes a frame without converting its colours
        while video.grab():
            if number % every == 0:
                is_read, pixels = video.retrieve()
                if is_read:
                    image = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
                    _named(image, f"{path}, frame {number}")
                    yield Frame(path, image, number, _moment(video, number))
                else:
                    note(f"{path}: frame {number} cannot be decoded, and is left out")
            number += 1
    finally:
        video.release()
    if not number:
        skip(UserError(f"{path}: a video without a readable frame"))
    elif length is not None and number < length:
        # no error: some formats only estimate their length
        note(f"{path}: only {number} of about {length} frames can be read; is the file complete?")


def _opened(path: Path) -> cv2.VideoCapture | None:
    """None: it is no video that can be read."""
    # OpenCV and its ffmpeg would print their own errors
    # OpenCV 4 has a function of another place
    set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
    set_level(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    video = cv2.VideoCapture(str(path))
    return video if video.isOpened() else None


def _length(video: cv2.VideoCapture) -> int | None:
    """The number of frames that a video states."""
    # of a stream, or a broken index, it is 0 or less
    length = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    return length if length > 0 else None


def _moment(video: cv2.VideoCapture, number: int) -> float | None:
    """The second of the current frame, which need not follow from its number and the rate."""
    seconds = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
    return seconds if seconds > 0 or not number else None


def _named(image: Image.Image, name: str) -> Image.Image:
    # where Pillow keeps the name of a file that it opened
    image.filename = name
    return image
