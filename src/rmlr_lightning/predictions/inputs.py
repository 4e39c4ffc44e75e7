"""What rmlr-predict reads: images, folders of images, and frames of videos."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
from PIL import Image

from rmlr_lightning.errors import UserError
from rmlr_lightning.images.image_file import images_in

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


class Frame(NamedTuple):
    """An image file, or a frame of a video."""

    path: Path  # of the file
    number: int | None = None  # of the frame, from 0
    seconds: float | None = None  # from the beginning of the video
    image: Image.Image | None = None  # of a frame; files are opened when they are predicted


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
    """How many frames `frames` will give; None where a video does not state its length.

    Raises:
        UserError: a video that cannot be read.
    """
    total = 0
    for path in paths:
        if not is_video(path):
            total += 1
            continue
        video = _opened(path)
        # of a stream, or a broken index, it is 0 or less
        length = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        video.release()
        if length < 1:
            return None
        total += -(-length // every)
    return total


def frames(paths: Sequence[Path], every: int) -> Iterator[Frame]:
    """The images, and of each video every so many frames, from the first one on.

    Raises:
        UserError: a video that cannot be read.
    """
    for path in paths:
        if is_video(path):
            yield from _frames_of(path, every)
        else:
            yield Frame(path)


def _frames_of(path: Path, every: int) -> Iterator[Frame]:
    video = _opened(path)
    try:
        rate = video.get(cv2.CAP_PROP_FPS)
        number = 0
        # `grab` decodes a frame without converting its colours
        while video.grab():
            if number % every == 0:
                is_read, pixels = video.retrieve()
                if not is_read:
                    break
                image = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
                yield Frame(path, number, number / rate if rate > 0 else None, image)
            number += 1
    finally:
        video.release()
    if not number:
        raise UserError(f"{path}: a video without a readable frame")


def _opened(path: Path) -> cv2.VideoCapture:
    # OpenCV and its ffmpeg would print their own errors
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise UserError(f"{path}: not a readable video")
    return video
