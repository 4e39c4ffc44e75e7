"""The texts of README.md and docs/: commands in the prose, Python examples, links, lengths.

The commands of blocks run: see `tests/page_commands.py`.
"""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from omegaconf import OmegaConf

from rmlr_lightning.runs.config import conf_dir
from tests.page_commands import (
    CONFIGS,
    PAGES,
    PARSERS,
    PROGRAMS,
    ROOT,
    TEXTS,
    blocks,
    words_of,
)

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLUGINS = r"hydra[/.](sweeper|launcher)\b"  # of extras


def markdown_of(notebook: Path) -> str:
    """The text cells of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def inline_commands(text: str) -> list[str]:
    """Code spans of the prose that call a program of ours with arguments."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`((?:rmlr-\w+|make|python) [^`]+)`", prose)
    return [" ".join(span.split()) for span in spans]


def check_config(name: str, arguments: list[str], output: Path) -> None:
    """Compose what the program would run, for the first and the last value of each sweep."""
    flags = ("-m", "--multirun")
    arguments = [w for w in arguments if w not in flags and not re.match(PLUGINS, w)]
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


def check_make(arguments: list[str]) -> None:
    """What make would run. Every variable that is set must be one that the Makefile reads."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in arguments:
        variable, is_assignment, _ = word.partition("=")
        if is_assignment:
            assert f"$({variable})" in makefile, variable
    subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)


PROSE_COMMANDS = sorted({line for text in TEXTS.values() for line in inline_commands(text)})


@pytest.mark.parametrize("command", PROSE_COMMANDS)
def test_commands_of_the_prose(command, tmp_path):
    """Configs compose and targets exist. Words in capitals and dots stand for arguments."""
    program, *arguments = words_of(command)
    arguments = [word for word in arguments if not re.fullmatch(r"[A-Z_|.]+|\.\.\.", word)]
    assert program in PROGRAMS
    if program in CONFIGS:
        check_config(CONFIGS[program], arguments, tmp_path)
    elif program == "make":
        check_make(arguments)


@pytest.mark.parametrize("program", sorted({*CONFIGS, *PARSERS}))
def test_every_program_is_installed(program):
    """tests/cli/test_startup.py asks all for their help."""
    (script,) = entry_points(group="console_scripts", name=program)
    assert script.load() and Path(sys.executable).with_name(program).is_file()


PYTHON_COMMANDS = [
    line for line in PROSE_COMMANDS if line.startswith("python ") and "[" not in line
]


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
def test_python_examples_run(source, tmp_path, monkeypatch, capsys):
    """In a folder with the images that they name."""
    example = ROOT / "docs" / "pictures" / "example.jpg"
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    shutil.copy(example, tmp_path / "docs" / "pictures")
    shutil.copy(example, tmp_path / "image.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "example", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


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
