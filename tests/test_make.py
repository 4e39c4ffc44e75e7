"""Targets of the Makefile that need programs from elsewhere."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
