"""Imports go one way (docs/ARCHITECTURE.md), and heavy frameworks stay in their rooms.

The `_target_`s of conf/ count as imports of the room that instantiates them.
"""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOT = REPOSITORY / "src" / "rmlr_lightning"
NOUNS = {"types", "vocabulary", "errors", "files"}
SECOND_STAGE = {"ops", "detectors", "models", "losses", "metrics", "data"}
MAY = {
    "types": set(),
    "vocabulary": set(),
    "errors": set(),
    "files": {"errors"},
    "synthetic": set(),
    "ops": NOUNS,
    "annotations": NOUNS,
    "images": NOUNS,
    "drawing": NOUNS,
    "detectors": NOUNS | {"ops"},
    "models": NOUNS | {"ops", "detectors"},
    "text": NOUNS | {"ops"},
    "losses": NOUNS | {"ops"},
    "metrics": NOUNS | {"ops"},
    "data": NOUNS | {"ops", "annotations", "images", "synthetic"},
    "preparation": NOUNS | {"annotations", "data", "images"},
    "cache": NOUNS | {"ops", "detectors", "data", "images"},
    "scoring": NOUNS | {"ops", "annotations", "metrics"},
    "report": NOUNS | {"ops", "metrics", "scoring", "images", "drawing"},
    "tasks": NOUNS | SECOND_STAGE,
    "callbacks": NOUNS | {"ops", "metrics", "scoring", "drawing"},
    "runs": NOUNS
    | SECOND_STAGE
    | {"annotations", "cache", "callbacks", "report", "scoring", "tasks", "text"},
    "export": NOUNS | {"ops", "models"},
    "hub": NOUNS
    | {"ops", "detectors", "models", "data", "images", "runs"}
    | {"annotations", "drawing", "export"},
    "predictions": NOUNS | {"annotations", "drawing", "hub", "images", "models", "ops", "runs"},
    "cli": NOUNS
    | {"data", "hub", "predictions", "preparation", "report", "runs", "scoring", "synthetic"},
}
ONLY_IN = {
    "hydra": {"runs", "hub", "cli"},
    "pytorch_lightning": {"tasks", "callbacks", "runs", "cli"},
    "wandb": {"callbacks", "report"},
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.parent != ROOT or p.stem != "__init__"],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_imports_go_one_way(path):
    here = room(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "rmlr_lightning" and len(parts) > 1:
            assert parts[1] == here or parts[1] in MAY[here], f"{here} must not import {name}"
        rooms = ONLY_IN.get(parts[0])
        if rooms is not None:
            datamodule = path.name == "datamodule.py" and parts[0] == "pytorch_lightning"
            assert here in rooms or datamodule, f"{name} does not belong in {here}"


def test_rooms_have_no_circle():
    """With one order of the rooms in which each imports only earlier ones."""
    left, placed = dict(MAY), set()
    while left:
        ready = {name for name, needs in left.items() if needs <= placed}
        assert ready, f"a circle among {sorted(left)}"
        placed |= ready
        left = {name: needs for name, needs in left.items() if name not in ready}


def test_configurations_name_no_console_script():
    """What a configuration instantiates lies below cli/."""
    for path in (REPOSITORY / "conf").rglob("*.yaml"):
        for target in re.findall(r"_target_: *(\S+)", path.read_text(encoding="utf-8")):
            assert not target.startswith("rmlr_lightning.cli"), f"{path.name} names {target}"


def test_rooms_and_files_stay_small():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    lengths = sorted(lines.values())
    assert lengths[len(lengths) // 2] <= 160
    assert lengths[-1] <= 300
    assert sum(count for path, count in lines.items() if room(path) == "data") <= 1700
    assert sum(count for path, count in lines.items() if room(path) == "cli") <= 800


def test_lines_are_calm():
    """At most 5 % of the lines pass 100 characters, at least 3 % are comments."""
    lines = [line for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum(len(line) > 100 for line in lines) <= 0.05 * len(lines)
    assert sum(line.lstrip().startswith("#") for line in lines) >= 0.03 * len(lines)
