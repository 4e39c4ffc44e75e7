"""Images and external detections as people have them at hand."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rmlr_lightning.annotations.boxes import share_inside
from rmlr_lightning.errors import UserError, raise_limits
from rmlr_lightning.images.image_file import images_in, of_array, open_image, upright_rgb
from rmlr_lightning.types import Entities
from rmlr_lightning.vocabulary import Vocabulary

ImageLike = str | Path | Image.Image | np.ndarray | Tensor
ONE_IMAGE = (str, Path, Image.Image, np.ndarray, Tensor)


def is_one_image(images: Any) -> bool:
    """False for a folder, a list, or another iterable of images."""
    is_folder = isinstance(images, (str, Path)) and Path(images).is_dir()
    return not is_folder and (isinstance(images, ONE_IMAGE) or not isinstance(images, Iterable))


def listed(images: Any) -> Iterable[ImageLike]:
    """The images of a folder, sorted by name, or those of an iterable, one by one.

    Raises:
        UserError: a folder without images.
    """
    return images_in(Path(images)) if isinstance(images, (str, Path)) else images


def name_of(image: ImageLike, number: int) -> str:
    """The path of the file, or "image" with a number."""
    source = image if isinstance(image, (str, Path)) else getattr(image, "filename", "")
    return str(source) or f"image {number}"


def opened(image: ImageLike) -> Image.Image:
    """An image as RGB.

    Raises:
        UserError: it cannot be read, or is of a kind that `images.image_file.as_rgb` refuses.
    """
    if isinstance(image, str) and re.match(r"[a-z]+://", image):
        raise UserError(f"{image}: an address; download the image first")
    if isinstance(image, (str, Path)):
        return open_image(Path(image))
    if not isinstance(image, ONE_IMAGE):
        raise UserError(
            f"an image is given as {type(image).__name__}; expected a file, a PIL image, an array "
            "of height x width x 3, or a tensor of 3 x height x width"
        )
    try:
        if isinstance(image, Image.Image):
            return upright_rgb(image)
        if isinstance(image, Tensor):  # channels come first, as in torchvision
            image = image.movedim(0, -1) if image.ndim == 3 else image
            image = (image.float() if image.dtype == torch.bfloat16 else image).numpy(force=True)
        return of_array(image)
    # A PIL image may be a broken file that is only read now, and fail in any way.
    except Exception as error:
        raise_limits(error)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"a given image cannot be used: {lines[0]}") from error


def external_entities(
    external: Mapping[str, Any], image: Image.Image, vocabulary: Vocabulary
) -> Entities:
    """External detections of an image, in the form of torchvision's detectors, with named classes.

    Args:
        external: "boxes", N x 4 xyxy in pixels; "labels", N names of object classes, because the
            same number is another class in another tool; "scores", N numbers in [0, 1]. Lists,
            arrays or tensors.

    Returns:
        Entities relative to the image, without tokens and batch dimension.

    Raises:
        UserError: a key is missing, lengths differ, or a value is not possible.
    """
    keys = external.keys() if isinstance(external, Mapping) else set()
    missing = {"boxes", "labels", "scores"} - keys
    if missing:
        raise UserError(f"boxes: no {min(missing)}; give a dict of boxes, labels and scores")
    try:
        boxes = torch.as_tensor(external["boxes"], dtype=torch.float32).reshape(-1, 4).cpu()
        scores = torch.as_tensor(external["scores"], dtype=torch.float32).reshape(-1).cpu()
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError("boxes: expected N x 4 numbers, and N scores") from error
    labels = torch.tensor([_label(label, vocabulary) for label in external["labels"]]).long()
    if not len(boxes) == len(scores) == len(labels):
        counts = f"{len(boxes)} boxes, {len(labels)} labels and {len(scores)} scores"
        raise UserError(f"boxes: {counts}; one of each belongs to a detection")
    if not ((0 <= scores) & (scores <= 1)).all():
        raise UserError("boxes: a score is not in [0, 1]")
    size = torch.tensor([image.width, image.height] * 2)
    count = len(boxes)
    is_box = (boxes[:, 2:] > boxes[:, :2]).all(1) & boxes.isfinite().all(1)
    # all of them in the first pixel: coordinates are relative
    if not is_box.all() or (
        count and ((share_inside(boxes.numpy(), *image.size) < 0.5).any() or boxes.max() <= 1)
    ):
        raise UserError(
            f"boxes: not x1, y1, x2, y2 in pixels of an image of {image.width} x {image.height}"
        )
    relative = (boxes / size).clamp(0, 1)
    mask = torch.ones(count, dtype=torch.bool)
    return Entities(relative, scores, labels, torch.zeros(count, 0), mask)


def _label(label: Any, vocabulary: Vocabulary) -> int:
    if not isinstance(label, str):
        raise UserError(
            f"boxes: label {label} is no name; give names of classes, such as "
            f"{vocabulary.objects[0]!r}: a number is another class in another tool"
        )
    if label not in vocabulary.objects:
        some = ", ".join(vocabulary.objects[:3])
        raise UserError(f"boxes: label {label!r} is none of the classes ({some}, ...)")
    return vocabulary.objects.index(label)
