"""`--help` and mistakes in options are answered before torch and its companions are imported."""

import json
import subprocess
import sys

import pytest

from tests.page_commands import ROOT

HEAVY = [
    "torch",
    "torchmetrics",
    "pytorch_lightning",
    "transformers",
    "timm",
    "matplotlib",
    "scipy",
]
SCRIPTS = [
    "prepare",
    "predict",
    "export",
    "score",
    "report",
    "train",
    "evaluate",
    "extract",
    "demo",
]
PROGRAM = """
import json, sys
from importlib import import_module

loaded = {}
for name, *arguments in json.loads(sys.argv[1]):
    sys.argv = [name, *arguments]
    try:
        import_module(f"rmlr_lightning.cli.{name}").main()
    except SystemExit as end:
        status = end.code or 0
    else:
        status = 0
    found = [module for module in json.loads(HEAVY) if module in sys.modules]
    loaded[" ".join(sys.argv)] = status, found
print(json.dumps(loaded))
"""
PHOTO = str(ROOT / "docs" / "pictures" / "panel.jpg")


def after(*commands: list[str]) -> dict[str, list]:
    """Exit status, and which heavy modules are loaded, after each of these commands."""
    program = PROGRAM.replace("HEAVY", repr(json.dumps(HEAVY)))
    command = [sys.executable, "-c", program, json.dumps(commands)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_help_needs_no_heavy_library():
    found = after(*([name, "--help"] for name in SCRIPTS))
    assert found == {f"{name} --help": [0, []] for name in SCRIPTS}


def test_a_report_needs_no_torchmetrics():
    """It takes 3 seconds to import."""
    runs = str(ROOT / "docs" / "results" / "ablation_runs.csv")
    ((status, loaded),) = after(["report", runs, "--rows", "rmlr,visual"]).values()
    assert status == 0 and "torch" in loaded and "torchmetrics" not in loaded


@pytest.mark.fault
def test_wrong_options_are_refused_before_heavy_libraries_are_loaded():
    mistakes = [["score", "hicodt"], ["predict"], ["train", "sed=1"], ["extract", "data=nowhere"]]
    mistakes += [["predict", "missing.jpg"], ["predict", PHOTO, "--batch=0"]]
    mistakes += [["predict", PHOTO, "--every=0"], ["predict", PHOTO, f"--out={PHOTO}"]]
    mistakes += [["train", "seed=x"], ["train", "-m", "seed=0,1.5"]]
    found = after(*mistakes)
    assert list(found.values()) == [[2, []]] * len(mistakes)
