"""What rmlr-predict writes for an image: its triplets as JSON, and a drawing."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import check_outputs, check_writable, write_atomic, written_atomically
from rmlr_lightning.predictions.inputs import Frame, is_video
from rmlr_lightning.runs.folder_names import short_name

if TYPE_CHECKING:  # torch takes seconds, and the checks need none
    from rmlr_lightning.hub.result import Result

LINES, PAGE = "predictions.jsonl", "index.html"
LOCK = ".predict.lock"  # not that of a run, whose folder may hold results, too
WAY_OUT = "name another folder with --out"


def check_results(folder: Path, files: Sequence[Path], overwrite: bool) -> None:
    """No file is overwritten unless it is asked for, and an input never.

    Raises:
        UserError: a result would overwrite a file, or the folder is a file or cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: a file is here, results need a folder; name another one")
    if not folder.exists():
        check_writable(folder, WAY_OUT, folders=False)
    # A drawing NAME.png in the folder of the inputs would replace a photograph NAME.png.
    inputs = {path.resolve() for path in files}
    results = [folder / LINES, folder / PAGE]
    for path in files:
        if not is_video(path):
            results += result_paths(folder, path)
        elif _folder_of(folder, path).exists() and not overwrite:
            raise UserError(
                f"--out {folder}: {_folder_of(folder, path)} exists; name another folder, or add "
                "--overwrite"
            )
    for result in results:
        if result.resolve() in inputs:
            raise UserError(
                f"--out {folder}: {result.name} would overwrite an input; name another folder"
            )
    outputs = {f"--out {folder}, {result.name}": result for result in results}
    check_outputs(outputs, None if overwrite else "--overwrite", folders=False)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Inside the context no other process writes results here; a new, empty folder does not stay.

    Raises:
        UserError: another process writes there, or the folder cannot be written.
    """
    existed = folder.exists()
    lock = FileLock(folder / LOCK, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"--out {folder}: another rmlr-predict is writing there; wait for it, or {WAY_OUT}"
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{folder}: cannot be written ({reason}); {WAY_OUT}") from error
    try:
        yield
    finally:
        # Removed while it is held. Who has opened it just before finds the results that are here.
        with suppress(OSError):  # Windows removes it in release(), and refuses to before
            Path(lock.lock_file).unlink()
        lock.release()
        if not existed:
            with suppress(OSError):  # it holds results
                folder.rmdir()


def result_paths(folder: Path, path: Path, number: int | None = None) -> tuple[Path, Path]:
    """Triplets and drawing. Frames of a video are in a folder of its name.

    Args:
        path, number: of a `Frame`.
    """
    if number is None:
        # a name that is too long for both is shortened
        stem = short_name(path.stem)
        return folder / f"{stem}.json", folder / f"{stem}.png"
    place = _folder_of(folder, path)
    return place / f"frame_{number:06d}.json", place / f"frame_{number:06d}.png"


def _folder_of(folder: Path, video: Path) -> Path:
    return folder / short_name(video.stem)


def record_of(frame: Frame, result: "Result") -> dict[str, Any]:
    """The triplets of an image as plain values; of a frame also its number and second."""
    record = result.to_dict() | {"image": frame.path.name}
    if frame.number is not None:
        seconds = None if frame.seconds is None else round(frame.seconds, 3)
        record |= {"frame": frame.number, "seconds": seconds}
    return record


def write_result(
    folder: Path, frame: Frame, result: "Result", min_probability: float | None, caption: str
) -> dict[str, Any]:
    """Write triplets and drawing of an image; returns the record of the triplets.

    Raises:
        UserError: a file cannot be written.
    """
    record = record_of(frame, result)
    text, drawing = result_paths(folder, frame.path, frame.number)
    encoded = io.BytesIO()
    # the usual level takes more than three times as long as the model
    result.plot(min_probability, caption).save(encoded, format="png", compress_level=1)
    # The triplets get their name last: where they are, the drawing is. They are on disk before
    # the drawing is, because the disk may be full after it.
    with written_atomically(text, WAY_OUT) as partial:
        partial.write_bytes(json.dumps(record, indent=1).encode())
        write_atomic(drawing, encoded.getvalue(), WAY_OUT)
    return record
