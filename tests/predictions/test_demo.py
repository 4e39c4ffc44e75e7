"""The function behind the page of rmlr-demo; the page itself needs gradio."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from types import SimpleNamespace
from urllib.request import urlopen

import pytest
from packaging.requirements import Requirement
from PIL import Image

from rmlr_lightning.cli import demo as program
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.calibration import Calibration
from rmlr_lightning.predictions.demo import answer, first_thresholds
from tests.page_commands import ROOT, from_page, make_command, started
from tests.untrained import untrained_checkpoint


@pytest.fixture
def detector(make_result):
    """A detector of three triplets, whatever the image."""
    result = make_result(("ride", "bicycle", 0.9), ("hold", "bicycle", 0.2), ("hold", "cup", 0.04))
    calibration = Calibration(1.0, 0.0, (0.50004, 0.3))
    return SimpleNamespace(
        predict=lambda image: result,
        vocabulary=result.vocabulary,
        saved=SimpleNamespace(calibration=calibration),
    )


def test_the_thresholds_are_first_those_of_the_validation_split(detector):
    assert first_thresholds(detector) == [["ride", 0.5], ["hold", 0.3]]
    detector.saved.calibration = None
    assert [value for _, value in first_thresholds(detector)] == [0.1, 0.1]


def test_each_verb_is_shown_from_its_threshold_on(detector):
    image = Image.new("RGB", (100, 100))
    drawing, rows = answer(detector, image, first_thresholds(detector))
    assert rows == [["person", "ride", "bicycle", 0.9]]
    more, rows = answer(detector, image, [["ride", 0.95], ["hold", "0.1"]])
    assert rows == [["person", "hold", "bicycle", 0.2]]
    assert drawing.tobytes() != more.tobytes()
    assert answer(detector, None, first_thresholds(detector)) == (None, [])


@pytest.mark.fault
@pytest.mark.parametrize("typed", ["", "much", None, 1.5, -0.1, float("nan")])
def test_what_is_no_threshold_is_named(typed, detector):
    with pytest.raises(UserError, match=r"threshold of hold: .* is not a number from 0 to 1"):
        answer(detector, None, [["hold", typed]])


@pytest.mark.fault
def test_without_gradio_the_extra_is_named_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SystemExit) as caught:
        program.main([])
    assert caught.value.code == 2
    expected = "error: gradio is not installed: pip install 'rmlr-lightning[demo]'\n"
    assert capsys.readouterr().err == expected


@pytest.mark.fault
@pytest.mark.parametrize("port", [-1, 0, 99999])
def test_a_number_that_is_no_port_is_named(port, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(["--port", str(port)])
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"error: --port {port}: not a port; from 1 to 65535\n"


@pytest.mark.slow
def test_make_demo_serves_a_page_until_it_is_stopped(tmp_path):
    pytest.importorskip("gradio", reason="needs gradio: make test-browser")
    untrained_checkpoint(tmp_path / "outputs" / "rmlr")
    shutil.copy(ROOT / "Makefile", tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "http://127.0.0.1:{1}".format(*free.getsockname())
    *words, option = from_page("make demo")
    command = make_command([*words, f"{option} --port {address.rpartition(':')[2]}"])
    quiet = {"GRADIO_TEMP_DIR": str(tmp_path / "gradio"), "PYTHONUNBUFFERED": "1"}
    with started(command, tmp_path, **quiet) as program:
        line = next((line for line in program.stdout if "http://" in line), "")
        assert address in line, program.stderr.read()
        with urlopen(address, timeout=60) as page:
            assert "gradio" in page.read().decode()
        os.killpg(program.pid, signal.SIGINT)
        assert "Traceback" not in program.communicate(timeout=60)[1]


def test_make_demo_installs_all_tested_versions_but_pillow(tmp_path):
    """gradio needs an older one, which the package must allow."""
    environment = tmp_path / "env"
    environment.mkdir()
    (environment / ".ready").touch()
    command = [
        "make",
        "-n",
        "--no-print-directory",
        "demo",
        f"VENV={environment}",
        "ARGS=--port 7999",
    ]
    lines = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    (selected,) = [line for line in lines if line.startswith("grep ")]
    subprocess.run(selected, shell=True, cwd=ROOT, check=True)
    tested = (ROOT / "constraints" / "tested.txt").read_text().splitlines()
    kept = (environment / ".demo.txt").read_text().splitlines()
    assert [re.sub("==.*", "", line) for line in tested if line not in kept] == ["pillow"]
    assert f'-c {environment}/.demo.txt -e ".[demo]"' in "".join(lines)
    assert lines[-1] == f"{environment}/bin/rmlr-demo --port 7999"

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pillow,) = [one for one in map(Requirement, project["dependencies"]) if one.name == "pillow"]
    assert pillow.specifier.contains("12.3.0")
