"""Opening an image file."""

from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from rmlr_lightning.errors import UserError


def open_image(path: Path) -> Image.Image:
    """An image file as RGB, rotated to its EXIF orientation.

    Raises:
        UserError: there is no such file, or it is not a readable image.
    """
    try:
        with Image.open(path) as file:
            # annotations and detectors use the image as viewers show it
            return ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such image; check the data set's image folder") from error
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path}: not a readable image ({error})") from error
