"""The commands of README.md and docs/, as a reader types them.

Every command of a block runs in some test: `tests/test_pages_run.py` runs those that start a
program of ours, from the top of a page to its end. Where a command needs other files or another
machine, the test that has them takes its words by `from_page`.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}

CONFIGS = {"rmlr-train": "train", "rmlr-extract": "extract", "rmlr-eval": "evaluate"}
PARSERS = {
    "rmlr-prepare": "prepare",
    "rmlr-predict": "predict",
    "rmlr-export": "export",
    "rmlr-score": "score",
    "rmlr-report": "report",
    "rmlr-demo": "demo",
}
LAUNCHERS = {"torchrun", "srun"}  # of processes of a Hydra program
PROGRAMS = {*CONFIGS, *PARSERS, *LAUNCHERS, "make", "python", "pip", "jupyter"}

# What make does not do again in the environment of the tests: nothing is installed there.
INSTALLED = [
    "--assume-old=setup",
    *(f"--assume-old={sys.prefix}/{name}" for name in (".ready", ".demo", ".browser")),
]


def blocks(text: str, language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def block_commands(text: str) -> list[str]:
    """The lines of all bash blocks and of indented blocks that call a program of ours."""
    joined = "".join(blocks(text, "bash")).replace("\\\n", " ")
    one_line_each = text.replace("\\\n", " ")
    indented = re.findall(r"^ {4}((?:rmlr-|make |python ).*)$", one_line_each, re.MULTILINE)
    return [line for line in [*joined.splitlines(), *indented] if shlex.split(line, comments=True)]


def words_of(command: str) -> list[str]:
    """The command without comments and without variables that are set in front of it."""
    words = shlex.split(command, comments=True)
    while "=" in words[0]:
        words.pop(0)
    return words


def from_page(start: str) -> list[str]:
    """The words of the only command of all blocks that is `start`, or starts so.

    A test that calls this runs the command; it may add options that keep it short, and put real
    files in the place of those that the page names.
    """
    typed = {tuple(words_of(line)) for text in TEXTS.values() for line in block_commands(text)}
    whole = [words for words in typed if " ".join(words) == start]
    (words,) = whole or [words for words in typed if " ".join(words).startswith(start)]
    return list(words)


def taken() -> dict[tuple[str, ...], str]:
    """The commands that a test takes by `from_page`, with the name of its file."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for start in re.findall(r'\bfrom_page\(\s*"([^"]+)"', path.read_text(encoding="utf-8")):
            found[tuple(from_page(start))] = path.relative_to(ROOT).as_posix()
    return found


def installed(name: str) -> str:
    """The path of a program of the environment of the tests, which need not be activated."""
    return str(Path(sys.executable).with_name(name))


@contextmanager
def started(command: list[str], place: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A program in a folder. It and those that it has started end with the block."""
    # without the variables of the `make test` that runs the tests, whose ARGS are for pytest
    asked = re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    apart = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", *asked)
    kept = {name: value for name, value in os.environ.items() if name not in apart}
    process = subprocess.Popen(
        command,
        cwd=place,
        env=kept | {"OMP_NUM_THREADS": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            try:
                yield process
            except BaseException:  # such as a timeout, or a test that is stopped
                os.killpg(process.pid, signal.SIGTERM)  # torchrun ends its processes
                process.wait(60)
                raise
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def finished(command: list[str], place: Path, **variables: str) -> subprocess.CompletedProcess:
    """What a program in a folder has printed, and its status."""
    with started(command, place, **variables) as process:
        out, err = process.communicate(timeout=500)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def make_command(words: list[str], *more: str) -> list[str]:
    """`make ...` in the environment of the tests."""
    program, *rest = words
    found = shutil.which(program)
    return [found, "--no-print-directory", *INSTALLED, f"VENV={sys.prefix}", *rest, *more]


def copy_tracked(out: Path) -> Path:
    """The files of the repository, as a clone has them, with changes that are not committed yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if (ROOT / name).is_file():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, out / name)
    return out
