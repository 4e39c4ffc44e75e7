"""The commands of README.md and docs/ are checked: configs compose, options and files exist."""

import importlib
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from omegaconf import OmegaConf

from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.repeat import OPTION

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

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
PLUGINS = r"hydra[/.](sweeper|launcher)\b"  # of extras


def markdown_of(notebook: Path) -> str:
    """The text cells of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def blocks(text: str, language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def block_commands(text: str) -> list[str]:
    """The lines of all bash blocks and of indented blocks that call a program of ours."""
    joined = "".join(blocks(text, "bash")).replace("\\\n", " ")
    one_line_each = text.replace("\\\n", " ")
    indented = re.findall(r"^ {4}((?:rmlr-|make |python ).*)$", one_line_each, re.MULTILINE)
    return [line for line in [*joined.splitlines(), *indented] if shlex.split(line, comments=True)]


def inline_commands(text: str) -> list[str]:
    """Code spans of the prose that call a program of ours with arguments."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`((?:rmlr-\w+|make|python) [^`]+)`", prose)
    return [" ".join(span.split()) for span in spans]


def cases(commands) -> list:
    return [
        pytest.param(line, id=f"{page.name}: {' '.join(words_of(line))[:80]}")
        for page, text in TEXTS.items()
        for line in commands(text)
    ]


def words_of(command: str) -> list[str]:
    """The command without comments and without variables that are set in front of it."""
    words = shlex.split(command, comments=True)
    while "=" in words[0]:
        words.pop(0)
    return words


def check_config(name: str, arguments: list[str], output: Path) -> None:
    """Compose what the program would run, for the first and the last value of each sweep."""
    flags = ("-m", "--multirun")
    arguments = [w for w in arguments if w not in flags and not re.match(PLUGINS, w)]
    if OPTION in arguments:  # the folder of a finished run, which there is not
        place = arguments.index(OPTION)
        del arguments[place : place + 2]
    firsts, lasts = [], []
    for override in OverridesParser.create().parse_overrides(arguments):
        values: list[str] = [override.input_line]
        if override.is_interval_sweep():
            values = [f"{override.get_key_element()}={override.value().start}"]
        elif override.is_sweep_override():
            strings = override.sweep_string_iterator()
            values = [f"{override.get_key_element()}={value}" for value in strings]
        firsts.append(values[0])
        lasts.append(values[-1])

    for overrides in [firsts] if firsts == lasts else [firsts, lasts]:
        with initialize_config_dir(conf_dir(), version_base="1.3"):
            config = compose(name, [*overrides, f"++paths.output={output}"])
        OmegaConf.resolve(config)
        for target in re.findall(r"_target_: *(\S+)", OmegaConf.to_yaml(config)):
            get_object(target)


def launched(arguments: list[str]) -> tuple[str, list[str]]:
    """The Hydra program that a launcher starts, by its name or `-m rmlr_lightning.cli.NAME`."""
    starts = {**CONFIGS, **{f"rmlr_lightning.cli.{name}": name for name in CONFIGS.values()}}
    place = next(i for i, word in enumerate(arguments) if word in starts)
    return starts[arguments[place]], arguments[place + 1 :]


def check_options(program: str, arguments: list[str]) -> None:
    module = importlib.import_module(f"rmlr_lightning.cli.{PARSERS[program]}")
    module.parser().parse_args(arguments)


def check_make(arguments: list[str]) -> None:
    """What make would run. Every variable that is set must be one that the Makefile reads."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in arguments:
        variable, is_assignment, _ = word.partition("=")
        if is_assignment:
            assert f"$({variable})" in makefile, variable
    subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)


def check_pip(arguments: list[str]) -> None:
    """Every extra that is installed exists."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert arguments[0] == "install"
    extras = re.findall(r"\[([\w,]+)\]", " ".join(arguments))
    names = {name for extra in extras for name in extra.split(",")}
    assert names <= project["optional-dependencies"].keys()


def check_jupyter(arguments: list[str]) -> None:
    """`jupyter execute` of notebooks that exist; tests/notebooks runs them."""
    assert arguments[0] == "execute"
    files = [word for word in arguments[1:] if not word.startswith("-")]
    assert files and all((ROOT / file).is_file() for file in files)


@pytest.mark.parametrize("command", cases(block_commands))
def test_commands_of_code_blocks(command, tmp_path):
    program, *arguments = words_of(command)
    assert program in PROGRAMS, f"no check for {program}"
    if program in CONFIGS:
        check_config(CONFIGS[program], arguments, tmp_path)
    elif program in LAUNCHERS:
        check_config(*launched(arguments), tmp_path)
    elif program in PARSERS:
        check_options(program, arguments)
    elif program == "make":
        check_make(arguments)
    elif program == "pip":
        check_pip(arguments)
    elif program == "jupyter":
        check_jupyter(arguments)
    else:
        script = ROOT / arguments[0]
        assert arguments[0] == "-m" or script.is_file(), script


@pytest.mark.parametrize("command", cases(inline_commands))
def test_commands_of_the_prose(command, tmp_path):
    """As those of blocks, but words in capitals and dots stand for arguments."""
    program, *arguments = words_of(command)
    arguments = [word for word in arguments if not re.fullmatch(r"[A-Z_|.]+|\.\.\.", word)]
    assert program in PROGRAMS
    if program in CONFIGS:
        check_config(CONFIGS[program], arguments, tmp_path)
    elif program == "make":
        check_make(arguments)


@pytest.mark.slow
@pytest.mark.parametrize("program", sorted({*CONFIGS, *PARSERS}))
def test_every_program_prints_its_help(program, tmp_path):
    path = Path(sys.executable).parent / program
    run = subprocess.run([path, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout and not run.stderr


PYTHON_COMMANDS = sorted(
    {
        " ".join(words_of(line))
        for text in TEXTS.values()
        for line in [*block_commands(text), *inline_commands(text)]
        if words_of(line)[0] == "python" and "[" not in line
    }
)


@pytest.mark.slow
@pytest.mark.parametrize("command", PYTHON_COMMANDS)
def test_scripts_accept_their_options(command, monkeypatch):
    """argparse reads the options before it reaches `--help`, and refuses unknown ones."""
    _, *arguments = shlex.split(command)
    is_module = arguments[0] == "-m"
    program, *options = arguments[1:] if is_module else arguments
    monkeypatch.setattr(sys, "argv", [program, *options, "--help"])
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        if is_module:
            runpy.run_module(program, run_name="__main__")
        else:
            monkeypatch.syspath_prepend(Path(program).parent)
            runpy.run_path(program, run_name="__main__")
    assert ended.value.code == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_with_commands_says_that_it_has_some(page):
    """Other blocks are not run by any test."""
    for block in blocks(TEXTS[page], ""):
        for line in block.splitlines():
            assert line.split(" ")[0] not in PROGRAMS, line


PYTHON_BLOCKS = [
    pytest.param(block, id=page.name)
    for page, text in TEXTS.items()
    for block in blocks(text, "python")
]


@pytest.mark.slow
@pytest.mark.parametrize("source", PYTHON_BLOCKS)
def test_python_examples_run(source, tmp_path):
    """In a folder with the images that they name."""
    example = ROOT / "docs" / "pictures" / "example.jpg"
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    shutil.copy(example, tmp_path / "docs" / "pictures")
    shutil.copy(example, tmp_path / "image.jpg")
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if not link.startswith(("http", "#")):
            assert (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    """Paths in code spans, relative to the repository or to the package; NAME stands for any."""
    text = TEXTS[page] if page in TEXTS else markdown_of(page)
    for path in re.findall(r"`([\w/]+/[\w.]+\.(?:py|yaml|txt|json|ipynb))`", text):
        places = (ROOT / path, ROOT / "src" / "rmlr_lightning" / path)
        assert "NAME" in path or any(place.is_file() for place in places), path


def test_every_room_is_described():
    rooms = (ROOT / "src" / "rmlr_lightning").iterdir()
    names = {room.name for room in rooms if (room / "__init__.py").is_file()}
    text = TEXTS[ROOT / "docs" / "ARCHITECTURE.md"]
    assert names == set(re.findall(r"^\| `(\w+)/`", text, re.MULTILINE))


def test_the_readme_is_short_and_the_pages_are_few_words():
    assert len(TEXTS[ROOT / "README.md"].splitlines()) <= 120
    # RELIABILITY.md is a list of tests, to look something up
    read = [text for page, text in TEXTS.items() if page.stem not in ("README", "RELIABILITY")]
    # numbers and the signs of tables are not words
    assert sum(len(re.findall(r"\S*[^\W\d_]\S*", text)) for text in read) < 9000


def test_every_fault_has_tests():
    """Each row of RELIABILITY.md names files of tests that are marked as tests of faults."""
    text = TEXTS[ROOT / "docs" / "RELIABILITY.md"]
    rows = [row for row in text.splitlines() if re.match(r"\| (?!fault|-)", row)]
    assert len(rows) >= 50
    for row in rows:
        files = re.findall(r"`(\w+/test_\w+)`", row.split(" | ")[-1])
        assert files, row
        for file in files:
            content = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
            assert "mark.fault" in content, row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_fits_a_screen(page):
    """Lines of 100 characters; rows of tables may be longer."""
    for line in TEXTS[page].splitlines():
        assert len(line) <= 100 or line.lstrip().startswith("|"), line
