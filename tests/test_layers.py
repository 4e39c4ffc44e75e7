"""Imports go one way (docs/ARCHITECTURE.md), and heavy frameworks stay in their rooms."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "rmlr_lightning"
NOUNS = {"types", "vocabulary", "errors"}
MAY = {
    "types": set(),
    "vocabulary": set(),
    "errors": set(),
    "ops": NOUNS,
    "models": NOUNS | {"ops"},
    "text": NOUNS | {"ops"},
    "losses": NOUNS | {"ops"},
    "metrics": NOUNS | {"ops"},
    "data": NOUNS | {"ops"},
    "pictures": NOUNS,
    "tasks": NOUNS | {"ops", "models", "losses", "metrics", "data"},
    "analysis": NOUNS | {"ops", "models", "losses", "metrics", "data", "tasks"},
    "callbacks": NOUNS | {"pictures"},
    "cli": NOUNS | {"ops", "models", "losses", "metrics", "data", "tasks", "analysis", "callbacks", "pictures"},
}
ONLY_IN = {"hydra": {"cli"}, "pytorch_lightning": {"tasks", "callbacks", "cli"}, "wandb": set()}
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
    "path", [p for p in FILES if p.parent != ROOT or p.stem != "__init__"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_go_one_way(path):
    here = room(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "rmlr_lightning" and len(parts) > 1:
            assert parts[1] == here or parts[1] in MAY[here], f"{here} must not import {name}"
        rooms = ONLY_IN.get(parts[0])
        if rooms is not None:
            assert here in rooms or (path.name == "datamodule.py" and parts[0] == "pytorch_lightning"), (
                f"{name} does not belong in {here}"
            )


def test_files_stay_short():
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in FILES)
    assert lengths[len(lengths) // 2] <= 130
    assert lengths[-1] <= 260
