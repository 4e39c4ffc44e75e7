"""One image to disk: all a worker process needs, free of torch so that it starts quickly."""

from pathlib import Path

import cv2

from rmlr_lightning.synthetic.config import ImageSpec, WorldConfig
from rmlr_lightning.synthetic.scene import render

QUALITY = 90


def file_name(split: str, number: int) -> str:
    return f"HICO_{split}2015_{number:08d}.jpg"


def image_path(split: str, number: int) -> str:
    """Relative to the data root."""
    return f"hico_20160224_det/images/{split}2015/{file_name(split, number)}"


def write_image(job: tuple[ImageSpec, WorldConfig, str]) -> dict:
    """Draws one image into `root`; returns its annotations."""
    spec, config, root = job
    cv2.setNumThreads(1)
    image, annotations = render(spec, config)
    path = Path(root) / image_path(spec.split, spec.number)
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    if not ok:
        raise ValueError(f"{path}: cannot encode the picture")
    path.write_bytes(data.tobytes())
    return annotations
