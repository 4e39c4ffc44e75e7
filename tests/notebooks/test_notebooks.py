"""Notebooks run at the small size, and are stored with the outputs of the full size."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from rmlr_lightning.models.pair_features import Geometry
from rmlr_lightning.types import Entities, Images, Pairs, Prediction, Scene

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
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
def test_it_runs_at_the_small_size(path, scratch, tmp_path, monkeypatch):
    monkeypatch.setenv("RMLR_NOTEBOOKS", "small")
    monkeypatch.setenv("RMLR_SCRATCH", str(scratch))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # the kernel works in an empty folder, so that nothing is left beside the notebook
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        startup_timeout=300,  # of the kernel: the default is little on a busy machine
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()  # raises CellExecutionError at the first error
    assert not list(tmp_path.iterdir())
