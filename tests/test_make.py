"""The commands of docs/CONTRIBUTING.md and those of pip, in a copy of the repository.

Without a network, and without a change of the environment of the tests.
"""

import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.page_commands import ROOT, copy_tracked, finished, from_page, make_command

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    return copy_tracked(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def set_up(checkout) -> Path:
    """The copy after `make setup`.

    Its environment also sees the packages of the environment of the tests, so that pip finds
    everything that the extras name, and downloads nothing.
    """
    pytest.importorskip("hatchling", reason="needs hatchling, to build the package: make setup")
    site = Path(sysconfig.get_path("purelib"))
    seen = checkout / ".venv" / site.relative_to(sys.prefix) / "packages.pth"
    seen.parent.mkdir(parents=True)
    seen.write_text(f"{site}\n")
    tested = {f"{one.name}=={one.version}" for one in distributions(path=[str(site)])}
    (checkout / "tested.txt").write_text("\n".join(sorted(tested)))

    program, *words = from_page("make setup")
    command = [shutil.which(program), *words, f"PYTHON={sys.executable}", "CONSTRAINTS=tested.txt"]
    done = finished(command, checkout, **OFFLINE)
    assert done.returncode == 0, done.stderr
    return checkout


@pytest.mark.slow
def test_make_setup_installs_the_checkout(set_up):
    code = "import rmlr_lightning; print(rmlr_lightning.__file__)"
    done = finished([str(set_up / ".venv" / "bin" / "python"), "-c", code], set_up, PYTHONPATH="")
    assert done.stdout == f"{set_up}/src/rmlr_lightning/__init__.py\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        from_page("pip install -e .[text]"),
        from_page("pip install -e .[export]"),
        from_page("pip install -e .[slurm,optuna]"),
    ],
    ids=" ".join,
)
def test_pip_finds_what_an_extra_names_and_installs_the_checkout(words, set_up):
    python = str(set_up / ".venv" / "bin" / "python")
    done = finished([python, "-m", *words], set_up, **OFFLINE)
    assert done.returncode == 0, done.stderr
    installed = f"Successfully installed rmlr-lightning-{version('rmlr-lightning')}"
    assert installed in done.stdout and "does not provide the extra" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "options"),
    [
        (from_page("make lint"), []),
        (from_page("make test"), ["ARGS=tests/test_vocabulary.py", "JOBS=1"]),
    ],
    ids=["lint", "test"],
)
def test_the_checks_of_a_copy_pass(words, options, checkout):
    done = finished(make_command(words, *options), checkout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_test_in_the_browser_passes(chromium, checkout):
    """One of all; axe-core, which npm would load, is not asked for."""
    one = "ARGS=tests/report/test_in_browser.py -k enter_follows"
    if shutil.which("npm") is None or find_spec("gradio") is None:
        pytest.skip("needs npm and gradio: make test-browser")
    axe = f"--assume-old={sys.prefix}/axe-core/package/axe.min.js"
    command = make_command(from_page("make test-browser"), axe, "JOBS=1", one)
    done = finished(command, checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize("present", [[], ["npm"], ["chromium"]], ids=str)
def test_tests_in_the_browser_name_what_is_missing_before_anything_is_installed(present, tmp_path):
    for name in present:
        (tmp_path / name).symlink_to("/bin/true")
    done = subprocess.run(
        [shutil.which("make"), "--no-print-directory", "test-browser", f"VENV={tmp_path / 'env'}"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stdout == ""
    needed = "error: make test-browser needs npm and Chromium: apt-get install npm chromium"
    assert done.stderr.splitlines()[0] == needed
    assert not (tmp_path / "env").exists()
