"""Finding and opening image files, and the one rule by which pixels become RGB."""

import os
import stat
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from rmlr_lightning.errors import UserError, raise_limits

# Pillow warns of what it reads nevertheless: images above 89 million pixels (those of twice as many
# it refuses) and damaged EXIF data. A filter per call would not be safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

# EXIF orientation -> what turns the stored image into the one that viewers show, and the reverse.
# `ImageOps.exif_transpose` also rewrites the EXIF data, and fails where they are damaged.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER_TURNS = {  # the orientations that swap width and height
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class ImageFolders:
    """One or more folders of images, searched in order: `folders / file_name` is a path.

    Args:
        folders: a folder, or a list of folders; splits such as HICO-DET-SG's mix the images of
            two. A folder that does not exist holds no image.

    Raises:
        UserError: an empty list.
    """

    def __init__(self, folders: "str | Path | Sequence[str | Path] | ImageFolders") -> None:
        if isinstance(folders, ImageFolders):
            folders = folders.paths
        listed = [folders] if isinstance(folders, (str, Path)) else list(folders)
        if not listed:
            raise UserError("images=[]: expected a folder, or a list of folders")
        self.paths = [Path(folder) for folder in listed]

    def __truediv__(self, file_name: str) -> Path:
        """The path of an image: in the first folder that has it, or else in the first folder."""
        if len(self.paths) == 1:  # no need to ask the disk
            return self.paths[0] / file_name
        # lazily: images of the first folder cost one question
        found = (folder / file_name for folder in self.paths)
        return next((path for path in found if path.is_file()), self.paths[0] / file_name)

    def __str__(self) -> str:
        return " or ".join(map(str, self.paths))


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, sorted by name; folders inside it are not searched.

    Raises:
        UserError: there is none.
    """
    inside = sorted(item for item in folder.iterdir() if item.suffix.lower() in SUFFIXES)
    if not inside:
        raise UserError(f"{folder}: no images in this folder (looked for {' '.join(SUFFIXES)})")
    return inside


def open_image(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
    """An image file as RGB (`as_rgb`), rotated to its EXIF orientation; of several the first frame.

    Args:
        size: the annotated (height, width), if known. An image whose annotations have the size
            before its rotation by a quarter turn is not rotated: its boxes are of that image.

    Raises:
        UserError: there is no such file, or it is not a readable image, or of a kind that `as_rgb`
            refuses.
    """
    try:
        with opened(path) as file:
            return upright_rgb(file, size)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such image; check its name and folder") from error
    # Pillow's decoders of many formats raise errors of any class for broken files
    except Exception as error:
        raise_limits(error)
        raise UserError(f"{path}: {unreadable(path, error)}") from error


def opened(path: Path) -> Image.Image:
    """`Image.open` of a file; a named pipe, at which it would wait for ever, is refused.

    Raises:
        ValueError: not a file. Broken and missing ones raise whatever Pillow raises.
    """
    kind = os.stat(path).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise ValueError("not a regular file")
    return Image.open(path)


def unreadable(path: Path, error: Exception) -> str:
    """Why an image cannot be read, in one line."""
    with suppress(OSError):
        if path.is_file() and not path.stat().st_size:
            return "not a readable image (the file is empty)"
    if isinstance(error, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return f"more than {limit:,} pixels, the limit of Pillow; scale it and its boxes down"
    # ValueError: `as_rgb` refuses the image
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"not a readable image ({' '.join(reason.split())})"


def upright_rgb(image: Image.Image, size: tuple[int, int] | None = None) -> Image.Image:
    """An opened image as RGB, rotated to its EXIF orientation; see `open_image`.

    Raises:
        ValueError: see `as_rgb`. Broken files raise whatever Pillow raises.
    """
    marked = orientation_of(image)
    image.load()
    # Pillow rotates a TIFF when it reads the pixels, and forgets the mark then
    remaining = orientation_of(image)
    shown = as_rgb(image)
    # a copy: whoever reads it must not rotate it by the mark once more
    shown.info.clear()
    if remaining in UPRIGHT:
        shown = shown.transpose(UPRIGHT[remaining])
    is_as_stored = size == (shown.width, shown.height) != (shown.height, shown.width)
    if marked in QUARTER_TURNS and is_as_stored:
        return shown.transpose(QUARTER_TURNS[marked])
    return shown


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, as stored, where the file has none or damaged ones."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF data, which viewers ignore, too
        return 1
    return value if value in UPRIGHT else 1


def as_rgb(image: Image.Image) -> Image.Image:
    """The pixels of an image in any mode as RGB with 8 bits: one rule for all readers.

    - 1 bit, greyscale, palette, YCbCr, CMYK: by Pillow, without colour profiles.
    - Alpha, or a transparent colour: on a white page, as viewers show it.
    - 16 bits: the high byte, by which Pillow reads 16-bit colour, too. 65,535 is white.
    - Floating point: 0 is black, 1 is white. Other values are refused.
    - Whole numbers of 32 bits, and Lab, are refused: their range or meaning is not known.

    Raises:
        ValueError: an image that is refused; the message is the reason.
    """
    refusal = refusal_of_mode(image.mode, image.format)
    if refusal:
        raise ValueError(refusal)
    if image.mode in (*SIXTEEN_BITS, "I"):
        return of_array(np.asarray(image).astype(np.uint16))
    if image.mode == "F":
        return of_array(np.asarray(image))

    if image.has_transparency_data:
        straight = image.convert("LA") if image.mode == "La" else image
        page = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(page, straight.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def refusal_of_mode(mode: str, file_format: str | None) -> str:
    """Why `as_rgb` refuses all images of a mode; empty if it does not."""
    if mode == "LAB":
        return "Lab colours; save it as RGB"
    # PNG and PGM hold at most 16 bits, which older versions of Pillow read into 32
    if mode == "I" and file_format not in ("PNG", "PPM"):
        return "whole numbers of 32 bits, whose range is not known; save it with 8 or 16 bits"
    return ""


def of_array(array: np.ndarray) -> Image.Image:
    """An array of pixels as RGB, by the rule of `as_rgb`.

    Args:
        array: height x width, or height x width x 1, 3 (RGB) or 4 (RGBA) values: uint8, uint16,
            bool, or floating point in [0, 1].

    Raises:
        ValueError: another shape, kind or range.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)) or not array.size:
        shape = " x ".join(map(str, array.shape)) or "a single number"
        raise ValueError(f"its shape is {shape}, not height x width, or height x width x 3 or 4")

    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        # written so that NaN, which compares as False, is refused too
        if not ((array >= 0) & (array <= 1)).all():
            low, high = float(array.min()), float(array.max())
            raise ValueError(f"its values are {low:.4g} to {high:.4g}, not 0 (black) to 1 (white)")
        array = (array * 255).round().astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ValueError(f"its values are {array.dtype}, not uint8, uint16, bool or 0 to 1")
    return as_rgb(Image.fromarray(np.ascontiguousarray(array)))
