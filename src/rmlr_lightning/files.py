"""Files that are written completely or not at all, and the hash that identifies a file."""

import errno
import gzip
import hashlib
import io
import os
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rmlr_lightning.errors import UserError

PARTIAL, LOCK = ".part", ".lock"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# More than this, and more than RATIO times the packed size, is refused: a file of 2 MB can hold
# 2 GB of zeros. The json and MATLAB files of the field unpack to less than a tenth of it.
LARGEST_UNPACKED, RATIO = 2**31, 100
HUB_TIMEOUT = 10  # seconds
OWN_FOLDER = "choose a folder that exists and is yours"


def sha256_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def largest_unpacked(packed: int) -> int:
    """The number of bytes that so many packed bytes may unpack to."""
    return max(LARGEST_UNPACKED, RATIO * packed)


def gunzip(content: bytes) -> bytes:
    """The content of a gzip file.

    Raises:
        ValueError: it is damaged, truncated or unpacks to too much.
    """
    limit = largest_unpacked(len(content))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"broken or truncated gzip archive ({error})") from error
    return _within(unpacked, limit, "unpack it with `gunzip` if you trust it")


def inflate(content: bytes) -> bytes:
    """The content of a zlib stream, as MATLAB writes them.

    Raises:
        ValueError: it is damaged, truncated or unpacks to too much.
    """
    limit = largest_unpacked(len(content))
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(content, limit + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    unpacked = _within(unpacked, limit, "save it without compression if you trust it")
    if not stream.eof:
        raise ValueError("incomplete or truncated stream")
    return unpacked


def _within(unpacked: bytes, limit: int, way_out: str) -> bytes:
    if len(unpacked) > limit:
        raise ValueError(f"unpacks to more than {limit:,} bytes; {way_out}")
    return unpacked


def write_atomic(
    path: str | os.PathLike[str], content: bytes | memoryview, way_out: str = OWN_FOLDER
) -> None:
    """Write a file beside the path and rename it, so that no reader ever finds half a file.

    Args:
        way_out: what the user can do about an error; ends the message.

    Raises:
        UserError: the file cannot be written. What was at `path` before is unchanged.
    """
    path = Path(path)
    with _user_errors(path, way_out):
        _write_and_rename(path.with_name(f".{secrets.token_hex(8)}{PARTIAL}"), path, content)


def check_writable(
    path: str | os.PathLike[str], way_out: str = OWN_FOLDER, folders: bool = True
) -> None:
    """Find out now whether `write_atomic` could write a file here later.

    Args:
        folders: make the folders that do not exist; else only ask whether that could be done.

    Raises:
        UserError: it could not.
    """
    path = Path(path)
    with _user_errors(path, way_out):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        place = path.parent
        if folders:
            place.mkdir(parents=True, exist_ok=True)
        while not place.exists():
            place = place.parent
        probe = place / f".{secrets.token_hex(8)}{PARTIAL}"
        probe.touch()
        probe.unlink()


def write_once(
    path: Path, make_content: Callable[[], bytes], wait: bool = True, way_out: str = OWN_FOLDER
) -> bool:
    """Make a file unless it exists, in one process only, whatever other processes do.

    The writer holds a lock (PATH.lock) and writes to PATH.part. The operating system releases the
    lock when the writer dies, and the next writer overwrites what it left. Folders are made.

    Args:
        make_content: called by the writer only.
        wait: whether to wait while another process writes the file. If that process fails or dies,
            this one writes the file.
        way_out: see `write_atomic`.

    Returns:
        True if the file exists now; False if another process was writing it and `wait` is False.

    Raises:
        UserError: the file cannot be written; there is no half-written file then.
    """
    if path.exists():
        return True
    lock = FileLock(_beside(path, LOCK))
    with _user_errors(path, way_out):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return False

    # With the lock held; content is made here, so that only one process does the work.
    try:
        if not path.exists():  # else another process made it while this one waited
            content = make_content()
            with _user_errors(path, way_out):
                _write_and_rename(_beside(path, PARTIAL), path, content)
    finally:
        _release(lock, path)
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove locks and partial files that killed writers left beside finished files.

    Those of a file that does not exist stay: its next writer reuses them.
    """
    for leftover in sorted([*folder.glob(f"*{PARTIAL}"), *folder.glob(f"*{LOCK}")]):
        path = leftover.with_suffix("")
        if not path.exists():
            continue
        lock = FileLock(_beside(path, LOCK))
        with suppress(Timeout):  # held by a living writer
            lock.acquire(timeout=0)
            _beside(path, PARTIAL).unlink(missing_ok=True)
            _release(lock, path)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _release(lock: FileLock, path: Path) -> None:
    # A process that waits may lock the removed file while a third one locks a new file of that
    # name. That does no harm if the path exists, because then neither of them writes. If it does
    # not exist, the lock file must stay.
    if path.exists():
        with suppress(OSError):  # Windows removes it in release(), and refuses to before
            Path(lock.lock_file).unlink()
    lock.release()


def _write_and_rename(partial: Path, path: Path, content: bytes | memoryview) -> None:
    # Without fsync a crash of the machine can leave an empty file under the final name.
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name != "nt":  # Windows cannot open folders, and stores renames without being asked to
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _user_errors(path: Path, way_out: str) -> Iterator[None]:
    try:
        yield
    except UserError:  # of what makes the content: some are a ValueError, too
        raise
    except (OSError, ValueError) as error:  # a ValueError: a path with a null byte
        if getattr(error, "errno", None) in DISK_FULL:
            message = f"{path}: the disk is full; make room or {way_out}"
        else:
            reason = getattr(error, "strerror", None) or error
            message = f"{path}: cannot be written ({reason}); {way_out}"
        raise UserError(message) from error


def check_outputs(
    outputs: Mapping[str, str | os.PathLike[str]], overwrite: str | None, folders: bool = True
) -> None:
    """Before the work: can all of these files be written, and would one replace another file?

    Args:
        outputs: by what the user calls each, such as "--plot plot.png".
        overwrite: how the user asks for files to be replaced, such as "--overwrite"; None if they
            have asked.
        folders: see `check_writable`.

    Raises:
        UserError: a file exists, two are the same, or one cannot be written.
    """
    named: dict[Path, str] = {}
    for name, path in outputs.items():
        path = Path(path)
        twin = named.setdefault(path.resolve(), name)
        if twin != name:
            raise UserError(f"{name}: the same file as {twin}; name another one")
        if path.exists() and not path.is_dir():
            # renaming would replace a device such as /dev/null, too
            if not path.is_file():
                raise UserError(f"{name}: {path} is not a regular file; name another one")
            if overwrite is not None:
                raise UserError(f"{name}: {path} exists; name another file, or add {overwrite}")
        check_writable(path, "name another file", folders)


@contextmanager
def written_atomically(path: Path, way_out: str = OWN_FOLDER) -> Iterator[Path]:
    """A path beside this one for a writer that needs a path; renamed when the context ends well.

    Raises:
        UserError: the file cannot be written. What was at `path` before is unchanged.
    """
    # writers choose a format by the ending
    partial = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with _user_errors(path, way_out):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if partial.exists():
                os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def ask_hub(
    name: str, files: Sequence[str] = ("config.json",), revision: str | None = None
) -> None:
    """Ask the hub once for a repository that is neither a local path nor in the cache.

    Loading repeats each request for half a minute, with a message for each, before it gives up.

    Args:
        name: a hub id or a path.
        files: the repository is cached if one of these is.

    Raises:
        OSError: there is no such repository, or no network.
    """
    # not at the top: commands that load nothing start without it
    from huggingface_hub import HfApi, try_to_load_from_cache

    if Path(name).exists():
        return
    try:
        cached = (try_to_load_from_cache(name, file, revision=revision) for file in files)
        if not any(isinstance(path, str) for path in cached):
            HfApi().model_info(name, revision=revision, timeout=HUB_TIMEOUT)
    except Exception as error:  # of the client, whose classes differ between versions
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise OSError(lines[0]) from error
