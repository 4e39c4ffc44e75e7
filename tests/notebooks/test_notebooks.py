"""Notebooks run at the small size, and are stored with the outputs of the full size."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from rmlr_lightning.models.pair_features import Geometry
from rmlr_lightning.types import Entities, Images, Pairs, Prediction, Scene
from tests.page_commands import finished, from_page, installed

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# of docs/NOTEBOOKS.md; the others run by the same command
COMMANDS = {
    words[-1]: words
    for words in (
        from_page("jupyter execute --inplace notebooks/0"),
        from_page("jupyter execute --inplace notebooks/1"),
        from_page("jupyter execute notebooks/3"),
    )
}
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:tmp|work|root|home|opt|usr|mnt|var|Users)/")
SHOWS = re.compile(r"\bplt\.show\(|\bprint\(")


def text_of(output: nbformat.NotebookNode) -> str:
    """All text of an output, without images."""
    data = {
        kind: value
        for kind, value in output.get("data", {}).items()
        if not kind.startswith("image/")
    }
    return "\n".join(
        [output.get("text", ""), *map(str, data.values()), *output.get("traceback", [])]
    )


def defines_only(source: str) -> bool:
    """A cell that prints only inside functions need not have shown anything."""
    return not any(
        SHOWS.search(line)
        for line in source.splitlines()
        if not line.startswith((" ", "\t", "def "))
    )


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("images.", Images),
        ("scene.entities.", Entities),
        ("scene.", Scene),
        ("pairs.", Pairs),
        ("", Geometry),
        ("", Prediction),
    ],
)
def test_the_first_notebook_shows_every_tensor(prefix, kind):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    cells = (cell.get("outputs", []) for cell in notebook.cells)
    text = "\n".join(text_of(output) for outputs in cells for output in outputs)
    shown = {name for line in text.splitlines() for name in line.split()[:1]}
    tuples = ("scene", "entities", "pairs", "detected")  # shown by their own fields
    fields = [field for field in kind._fields if field not in tuples]
    absent = [field for field in fields if f"{prefix}{field}" not in shown]
    assert absent == []


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


def test_outputs_are_kept_without_errors_and_machine_paths(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not MACHINE_PATH.search(cell.source)
        if cell.cell_type != "code":
            continue
        assert cell.outputs or defines_only(cell.source), f"without outputs:\n{cell.source}"
        if "plt.show()" in cell.source and not defines_only(cell.source):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs)
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", text_of(output)
            assert not MACHINE_PATH.search(text_of(output))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    """Tiny data and runs of all notebooks."""
    return tmp_path_factory.mktemp("scratch")


@pytest.mark.slow
def test_it_runs_at_the_small_size(path, scratch, tmp_path):
    copy = tmp_path / "notebooks"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(copy.rglob("*"))
    name = f"notebooks/{path.name}"
    program, *words = COMMANDS.get(name, ["jupyter", "execute", name])
    done = finished(
        [installed(program), *words, "--startup_timeout=300"],  # the kernel of a busy machine
        tmp_path,
        RMLR_NOTEBOOKS="small",
        RMLR_SCRATCH=str(scratch),
        PYTHONDONTWRITEBYTECODE="1",
        IPYTHONDIR=str(tmp_path / "ipython"),
        JUPYTER_CONFIG_DIR=str(tmp_path / "config"),
        JUPYTER_RUNTIME_DIR=str(tmp_path / "runtime"),
    )
    assert done.returncode == 0, done.stderr
    assert sorted(copy.rglob("*")) == before
