"""Runs of a sweep that failed, and why."""

from collections.abc import Mapping
from pathlib import Path

from rmlr_lightning.errors import printable
from rmlr_lightning.report.sweep_order import FILE as SWEEP_FILE

FILE = "error.txt"  # rmlr-train writes it into the folder of a run; until it is started again
# What a folder of rmlr-train has, however early the run failed
MARKS = (".hydra", ".lock", "config.yaml", f"../{SWEEP_FILE}")
MAX_BYTES = 10_000  # of the end of the file, which may be a long traceback
MAX_LENGTH = 400  # of a reason


def failed_runs(parent: Path) -> dict[Path, str]:
    """The folders of failed runs at any depth, with the last line of their error.txt."""
    found = {}
    for path in sorted(parent.rglob(FILE)):
        folder = path.parent
        is_run = any((folder / mark).exists() for mark in MARKS)
        if is_run and not (folder / "metrics.json").exists():
            found[folder] = _last_line(path)
    return found


def failed_sentences(failed: Mapping[Path, str]) -> list[str]:
    """One for each reason, with the folders that have it."""
    folders: dict[str, list[str]] = {}
    for folder, reason in failed.items():
        folders.setdefault(reason, []).append(str(folder))
    return [f"Not counted, failed: {', '.join(names)} ({r})" for r, names in folders.items()]


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MAX_BYTES))
            text = file.read().decode("utf-8", errors="replace").strip()
    except OSError as error:
        return f"{FILE} cannot be read: {error.strerror}"
    line = printable(text.rpartition("\n")[2].strip()) or f"{FILE} is empty"
    return line if len(line) <= MAX_LENGTH else f"{line[:MAX_LENGTH]}..."
