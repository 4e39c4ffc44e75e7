"""Annotation files for the tests: fake ones of every layout, and the real ones if available."""

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with annotations of every layout, by make_hicodet.py and make_vcoco.py."""
    folder = tmp_path_factory.mktemp("annotations")
    for name in ("make_hicodet", "make_vcoco"):
        runpy.run_path(str(HERE / f"{name}.py"))[name](folder)

    instances = json.loads((folder / "instances_vcoco_all_2014.json").read_text())
    (folder / "coco_boxes.json").write_text(json.dumps(instances))
    detections = [entity | {"score": 0.5} for entity in instances["annotations"][:40]]
    (folder / "detections.json").write_text(json.dumps(detections))
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real annotation files: $RMLR_SHARED, or `shared` beside the project."""
    folder = Path(os.environ.get("RMLR_SHARED", HERE.parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(
            f"real annotation files are not at {folder}; set RMLR_SHARED to the folder with them"
        )
    return folder


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[Path, Callable[[Any], object]], Path]:
    """edited(path, edit): a copy of a json file; `edit` changes its parsed content in place."""

    def save(path: Path, edit: Callable[[Any], object]) -> Path:
        document = json.loads(path.read_bytes())
        edit(document)
        (tmp_path / path.name).write_text(json.dumps(document))
        return tmp_path / path.name

    return save
