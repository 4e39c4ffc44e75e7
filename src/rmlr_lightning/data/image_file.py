"""Opening a picture file."""

from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from rmlr_lightning.errors import UserError


def open_picture(path: Path) -> Image.Image:
    """An RGB picture, turned as its EXIF orientation says."""
    try:
        with Image.open(path) as file:
            return ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such picture; check the data set's image folder") from error
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path}: not a readable picture ({error})") from error
