"""Finding and opening image files."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from rmlr_lightning.errors import UserError


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


def open_image(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
    """An image file as RGB, rotated to its EXIF orientation.

    Args:
        size: the annotated (height, width), if known. An image whose annotations have the size
            before its rotation by a quarter turn is not rotated: its boxes are of that image.

    Raises:
        UserError: there is no such file, or it is not a readable image.
    """
    try:
        with Image.open(path) as file:
            # annotations and detectors use the image as viewers show it
            shown = ImageOps.exif_transpose(file)
            stored = (file.height, file.width)
            is_as_stored = size == stored != (shown.height, shown.width)
            return (file if is_as_stored else shown).convert("RGB")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such image; check the data set's image folder") from error
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path}: not a readable image ({error})") from error
