"""The folders that this process has made for its run, which a mistake does not leave behind."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rmlr_lightning.runs.repeat import FOLDER
from rmlr_lightning.runs.user_errors import user_message

LOCK = ".lock"
# What a run writes before it has checked its options and its data
EARLY = (*(f"{FOLDER}/{name}.yaml" for name in ("config", "overrides", "hydra")), LOCK)

_made: list[Path] = []  # the innermost first


def make_folder(folder: Path) -> None:
    """Make a folder with its parents; those that did not exist are remembered.

    Raises:
        OSError: it cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    _made[:0] = [path.absolute() for path in missing]


@contextmanager
def no_empty_folder(folder: Path) -> Iterator[None]:
    """After a user's mistake, a folder of `make_folder` without results is removed.

    Its parents go, too, as far as this process has made them and nothing else is in them. Of a
    folder that was there only a new .hydra is removed. After other errors the configuration stays,
    which is needed to find out about them.

    Args:
        folder: of the run, which is locked inside the context.
    """
    try:
        yield
    except Exception as error:
        if user_message(error) is not None:
            _remove(folder)
        raise


def _remove(folder: Path) -> None:
    made = folder if folder.absolute() in _made else folder / FOLDER
    if made.absolute() not in _made:
        return
    files = {str(path.relative_to(folder)) for path in made.rglob("*") if not path.is_dir()}
    if not files <= set(EARLY):
        return
    with suppress(OSError):  # such as a file that appears meanwhile: then the folder stays
        for name in files:
            (folder / name).unlink()
        if (folder / FOLDER).is_dir():
            (folder / FOLDER).rmdir()
    remove_empty()


def remove_empty() -> None:
    """Remove the folders of `make_folder`, as far as nothing is in them."""
    for path in _made:
        with suppress(OSError):  # gone already, or not empty
            path.rmdir()
