"""Draws one image and writes it to disk: what a worker process does."""

from pathlib import Path

import cv2

from rmlr_lightning.synthetic.config import ImageSpec, WorldConfig
from rmlr_lightning.synthetic.rendering import render

JPEG_QUALITY = 90


def file_name(split: str, number: int) -> str:
    """HICO-DET's name of the image with this number (from 1) in a split."""
    return f"HICO_{split}2015_{number:08d}.jpg"


def image_path(split: str, number: int) -> str:
    """The path of an image relative to the root of the world."""
    return f"hico_20160224_det/images/{split}2015/{file_name(split, number)}"


def write_image(job: tuple[ImageSpec, WorldConfig, str]) -> dict:
    """Draws one image into a folder.

    Args:
        job: The image, the settings of the world, and its root; one argument, as `map` needs.

    Returns:
        The annotations that `render` gives.

    Raises:
        ValueError: the image cannot be encoded.
        OSError: the file cannot be written.
    """
    spec, config, root = job

    # The processes are the parallelism; threads of OpenCV in each would only compete.
    cv2.setNumThreads(1)
    image, annotations = render(spec, config)

    path = Path(root) / image_path(spec.split, spec.number)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    ok, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not ok:
        raise ValueError(f"{path}: cannot encode the image")
    path.write_bytes(data.tobytes())
    return annotations
