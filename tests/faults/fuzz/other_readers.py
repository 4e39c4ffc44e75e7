"""Readers of detections, images and runs, with a small valid file for each."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rmlr_lightning.images.image_file import open_image
from rmlr_lightning.metrics.twins import read_twins
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.report.runs_csv import COLUMNS
from rmlr_lightning.runs.environment import FILE, code, differences
from rmlr_lightning.runs.repeat import repeating_arguments
from rmlr_lightning.scoring.detections_file import (
    dataset_of,
    read_pair_detections,
    read_role_detections,
)
from rmlr_lightning.synthetic import WorldConfig
from rmlr_lightning.vocabulary import hicodet, vcoco_actions
from tests.faults.fuzz import contents
from tests.faults.fuzz.annotation_readers import in_range
from tests.faults.fuzz.harness import Reader
from tests.metrics.tiny_worlds import VOCABULARY
from tests.scenes import noise_image
from tests.scoring.test_export import vcoco_truth_on

PAIRS = {
    "file_names": ["a", "b"],
    "image": [0, 1, 1],
    "boxes_h": [[1.0, 2.0, 3.0, 4.0]] * 3,
    "boxes_o": [[1.0, 2.0, 3.0, 4.0]] * 3,
    "objects": [0, 5, 7],
    "verbs": [0, 0, 1],
    "scores": [0.5, 0.25, 0.5],
}
ROLES = {
    "image_ids": [3, 3, 5],
    "boxes_h": [[1.0, 2.0, 3.0, 4.0]] * 3,
    "boxes_o": [None, [1.0, 2.0, 3.0, 4.0], [0.0] * 4],
    "actions": [0, 0, 7],
    "roles": [0, 1, 2],
    "scores": [0.5, 0.25, 0.5],
}
RUN = {"name": "rmlr", "label": "RmLR", "seed": 1, "data": {"prepare": {"config": {"train": 9}}}}
METRICS = {"test/map_full": 0.5, "test/map_rare": float("nan"), "cost/train": 12.0}


def detection_readers(folder: Path) -> list[Reader]:
    """Detections of a test set, and what reports read."""
    person: dict[str, Any] = {"image_id": 3, "person_box": [1.0, 2.0, 3.0, 4.0]}
    for action in vcoco_actions()[:4]:
        for role in action.roles:
            value = 0.5 if role == "agent" else [1.0, 2.0, 3.0, 4.0, 0.25]
            person[f"{action.name}_{role}"] = value
    persons = [person, person | {"image_id": 5, "hold_obj": np.array([1.0, 2, 3, 4, 0.5])}]
    roles = ROLES | {"boxes_o": [[np.nan] * 4, *ROLES["boxes_o"][1:]]}
    csv = [[*COLUMNS, "test/map_full"], ["rmlr", "RmLR", 9, 1, "runs/1", "abc1234", 0.5]]

    run = folder / "run"
    (run / ".hydra").mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps(METRICS))
    (run / "config.yaml").write_bytes(contents.as_yaml(RUN, None))

    def report(path: Path) -> None:
        # beside the two other files of a run
        for file in ("metrics.json", "config.yaml"):
            if path.name != file:
                path.with_name(file).write_bytes((run / file).read_bytes())
        _report(path.parent)

    def in_run(name: str, document: Any, encode: Any) -> Reader:
        return Reader(name, document, encode, f"run/{name}", report, 10)

    def repeated(path: Path) -> None:
        (path.parent / ".hydra").mkdir(exist_ok=True)
        (path.parent / ".hydra" / "config.yaml").write_bytes(path.read_bytes())
        with redirect_stdout(io.StringIO()):
            repeating_arguments(["--from-run", str(path.parent)])

    configuration = RUN | {"model": {"_target_": "rmlr_lightning.models.hoi.HOIModel", "a": "${b}"}}
    environment = code() | {"files": {str(folder / "none"): "0"}, "detector": None}
    return [
        Reader("from-run", configuration, contents.as_yaml, "from.yaml", repeated, 10),
        Reader("environment.json", environment, contents.as_json, FILE, _environment, 10),
        Reader("pairs.npz", PAIRS, contents.as_npz, "d.npz", _pairs, 40),
        Reader("pairs.json", PAIRS, contents.as_json, "d.json", _pairs, 40),
        Reader("roles.npz", roles, contents.as_npz, "d.npz", _roles, 30),
        Reader("roles.json", ROLES, contents.as_json, "d.json", _roles, 30),
        Reader("persons.pkl", persons, contents.as_pickle, "d.pkl", _roles, 40),
        in_run("metrics.json", METRICS, contents.as_json),
        in_run("config.yaml", RUN, contents.as_yaml),
        Reader("runs.csv", csv, contents.as_lines, "runs.csv", _report, 20),
        Reader("world.json", _world(), contents.as_json, "world.json", _twins, 20),
        Reader("synthetic", _settings(), contents.as_json, "settings.json", _synthetic, 20),
    ]


def image_readers() -> list[Reader]:
    """Images of all kinds that Pillow tells apart."""
    image = noise_image(24, 16, 90)
    images = [
        (image.convert("RGB"), "PNG"),
        (image.convert("P"), "PNG"),
        (image.convert("I;16"), "PNG"),
        (image.convert("RGB"), "JPEG"),
        (image.convert("RGBA"), "TIFF"),
        (image.convert("P"), "GIF"),
        (image.convert("RGB"), "BMP"),
        (image.convert("RGBA"), "WEBP"),
    ]
    readers = []
    for one, kind in images:
        with io.BytesIO() as file:
            one.save(file, kind)
            content = file.getvalue()
        name = f"{one.mode} {kind}"
        readers.append(Reader(name, content, contents.unchanged, "image", _image, 5))
    return readers


def _image(path: Path) -> None:
    image = open_image(path)
    assert image.mode == "RGB" and min(image.size) > 0
    assert len(image.tobytes()) == 3 * image.width * image.height


def _environment(path: Path) -> None:
    assert all(isinstance(line, str) for line in differences(path.parent))


def _pairs(path: Path) -> None:
    dataset_of(path)
    found = read_pair_detections(path, ["a", "b", "c"], VOCABULARY)
    assert np.isfinite(found.pairs.boxes_h).all() and np.isfinite(found.pairs.boxes_o).all()
    _check_sides(found.pairs.boxes_h)
    _check_sides(found.pairs.boxes_o)
    assert np.isfinite(found.scores).all(), "a score that is not finite"
    assert in_range(torch.as_tensor(found.pairs.images), 0, 3)
    assert in_range(torch.as_tensor(found.pairs.hois), -1, len(VOCABULARY.hois))


def _roles(path: Path) -> None:
    dataset_of(path)
    truth = vcoco_truth_on([3, 5])
    found = read_role_detections(path, truth).rows
    assert np.isfinite(found.boxes_h).all()
    assert not np.isnan(found.scores).any(), "a score that is NaN"
    assert not np.isinf(found.scores).any(), "an infinite score"
    assert in_range(torch.as_tensor(found.images), 0, 2)
    assert in_range(torch.as_tensor(found.actions), 0, 26)


def _check_sides(boxes: np.ndarray) -> None:
    assert (boxes[:, 2:] >= boxes[:, :2]).all(), "a box of negative size"


def _report(path: Path) -> None:
    for run in find_runs([path], "test/map_full", "abc1234").runs:
        assert type(run.seed) is int and (run.train is None or type(run.train) is int)


def _world() -> dict[str, Any]:
    twin = {"split": "test", "image_a": "a.jpg", "image_b": "b.jpg", "box_h": [1, 2, 3, 4]}
    twin |= {"box_o": [1, 2, 3, 4], "object": "bicycle", "verbs_a": ["ride"], "verbs_b": ["hold"]}
    return {"twins": [twin]}


def _twins(path: Path) -> None:
    read_twins(path, "test", hicodet())


def _settings() -> dict[str, Any]:
    return WorldConfig(train=3, val=1, test=2).as_dict()


def _synthetic(path: Path) -> None:
    """The values as a command line gives them: an error is a ValueError of one line."""
    try:
        settings = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    if not isinstance(settings, dict) or set(settings) - set(_settings()):
        return  # Hydra refuses other keys
    try:
        config = WorldConfig(**settings)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    assert all(type(count) is int for count in (config.train, config.val, config.test))
    json.dumps(config.as_dict())
