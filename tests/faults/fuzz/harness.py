"""Feeds damaged files to readers, and collects what they do wrong."""

import faulthandler
import random
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rmlr_lightning.errors import UserError
from tests.faults.fuzz import contents, documents

LIMIT = 20  # seconds for one file, on a busy machine


class Reader(NamedTuple):
    """A reader and a valid file for it."""

    name: str
    document: Any  # what `encode` makes a valid file of
    encode: Callable[[Any, random.Random], bytes]
    file: str  # name of the file
    read: Callable[[Path], None]  # raises UserError, or AssertionError for accepted nonsense
    weight: int = 10  # how often it is tried, in comparison with others


class Finding(NamedTuple):
    """A file that was not answered as it should be."""

    reader: str
    number: int
    problem: str  # class and place of the error
    content: bytes


class _Hang(BaseException):
    """Not an Exception, so that no reader catches it."""


def damaged_file(reader: Reader, seed: int, number: int) -> bytes:
    """Input `number` for a reader: the same bytes for the same seed."""
    rng = random.Random(f"{seed} {reader.name} {number}")
    if reader.encode is contents.unchanged:
        return contents.damaged(reader.document, rng)
    if rng.random() < 0.2:
        return contents.damaged(reader.encode(reader.document, rng), rng)
    for _ in range(20):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                changed = documents.damaged(reader.document, rng, rng.choice((1, 1, 1, 2, 3)))
                content = reader.encode(changed, rng)
        except Exception:  # the layout has no way to write such a document
            continue
        return contents.damaged(content, rng) if rng.random() < 0.05 else content
    return contents.damaged(reader.encode(reader.document, rng), rng)


def problem_of(reader: Reader, content: bytes, folder: Path) -> str | None:
    """None if the file is read with sense or refused by one line; else what happened."""
    path = folder / reader.file
    path.write_bytes(content)
    try:
        with _time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy and torch about the damaged values
            reader.read(path)
    except UserError as error:
        lines = str(error).splitlines()
        return None if len(lines) == 1 else f"UserError of {len(lines)} lines: {lines[:2]}"
    except _Hang as error:
        return f"hang: {_place(error)}"
    except Exception as error:
        return f"{type(error).__name__}: {_place(error)}: {str(error)[:200]}"
    return None


def fuzz(
    readers: Sequence[Reader], inputs: int, seed: int, folder: Path
) -> Iterator[Finding | None]:
    """One item for each input: a finding, or None."""
    total = sum(reader.weight for reader in readers)
    for reader in readers:
        for number in range(-(-inputs * reader.weight // total)):
            content = damaged_file(reader, seed, number)
            problem = problem_of(reader, content, folder)
            yield problem and Finding(reader.name, number, problem, content)


def distinct(findings: Sequence[Finding]) -> list[str]:
    """A line for each kind of problem, with the first input that shows it."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        place = ": ".join(finding.problem.split(": ")[:2])
        kinds.setdefault((finding.reader, place), []).append(finding)
    return [
        f"{first.reader}:{first.number} ({len(others) + 1} times): {first.problem}"
        for first, *others in kinds.values()
    ]


@contextmanager
def _time_limit() -> Iterator[None]:
    def expired(*_: Any) -> None:
        raise _Hang

    # a signal waits for a loop outside of Python to end, which may be never
    faulthandler.dump_traceback_later(10 * LIMIT, exit=True)
    previous = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _place(error: BaseException) -> str:
    """The innermost line of the package, or of the checks of these tests."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "rmlr_lightning" in f.filename or "/fuzz/" in f.filename]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}, {frame.line}"
