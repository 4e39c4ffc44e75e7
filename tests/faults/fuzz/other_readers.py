"""Readers of detections, caches, weights, checkpoints, saved models and runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from rmlr_lightning.cache.shard import Shard, encode
from rmlr_lightning.detectors.checkpoint_file import read_weights
from rmlr_lightning.detectors.detr_checkpoint import load_detr
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import is_own_file, save_network
from rmlr_lightning.hub.saved_model import read_model
from rmlr_lightning.metrics.twins import read_twins
from rmlr_lightning.models.checkpoint import (
    CHECKPOINT_FORMAT,
    plain_vocabulary,
    read_checkpoint,
    read_vocabulary,
)
from rmlr_lightning.models.network_weights import read_weights as read_network_weights
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.report.runs_csv import COLUMNS
from rmlr_lightning.scoring.detections_file import (
    dataset_of,
    read_pair_detections,
    read_role_detections,
)
from rmlr_lightning.synthetic import WorldConfig
from rmlr_lightning.text.bank import TextEmbeddings, read_embeddings, to_bytes
from rmlr_lightning.types import Entities, Scene
from rmlr_lightning.vocabulary import hicodet, vcoco_actions
from tests.faults.fuzz import contents
from tests.faults.fuzz.annotation_readers import in_range
from tests.faults.fuzz.harness import Reader
from tests.metrics.tiny_worlds import VOCABULARY
from tests.scenes import random_entities
from tests.scoring.test_export import vcoco_truth_on
from tests.tiny_detectors import tiny_detector

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
NAMES = ("a.jpg", "b.jpg")
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

    return [
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


def weight_readers(folder: Path) -> list[Reader]:
    """Files of tensors."""
    scenes = [_scene(seed) for seed in (0, 1)]
    shard = contents.safetensors_document(encode(scenes, NAMES))
    checkpoint = {
        "state_dict": {"model.weight": torch.zeros(4, 3)},
        "format": CHECKPOINT_FORMAT,
        "pytorch-lightning_version": "2.6.0",
        "epoch": 3,
        "config": {"task": {"module": {}}, "data": {}, "model": {}},
        "vocabulary": plain_vocabulary(VOCABULARY),
    }
    detr = {
        "model": {
            "transformer.encoder.layers.0.linear1.weight": torch.zeros(8, 16),
            "transformer.decoder.layers.0.linear1.weight": torch.zeros(8, 16),
            "query_embed.weight": torch.zeros(3, 16),
            "class_embed.weight": torch.zeros(92, 16),
        },
        "args": {"enc_layers": 1, "dec_layers": 1, "dilation": False},
    }
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        key = f"backbone.0.body.layer{stage}.{blocks - 1}.conv3.weight"
        detr["model"][key] = torch.zeros(1)
    plain = contents.safetensors_document(save({"a.weight": torch.zeros(4, 3)}))
    words = torch.zeros(2, 3, 4)
    flags = torch.ones(2, 3, dtype=torch.bool)
    bank = to_bytes(TextEmbeddings(torch.zeros(2, 4), words, flags, flags.clone()))

    detector = tiny_detector()
    save_network(detector.network, folder / "own.safetensors", detector.interpretation())
    own = contents.safetensors_document((folder / "own.safetensors").read_bytes())
    return [
        Reader("scenes", scenes, _as_shard, "scenes.safetensors", _shard, 20),
        Reader("shard", shard, contents.as_safetensors, "shard.safetensors", _shard, 30),
        Reader("checkpoint", checkpoint, contents.as_torch, "a.ckpt", _checkpoint, 40),
        Reader("detr.pth", detr, contents.as_torch, "detr.pth", _detr, 30),
        Reader("weights.safetensors", plain, contents.as_safetensors, "a.safetensors", _detr, 20),
        Reader("timm.pth", detr["model"], contents.as_torch, "timm.pth", _timm, 10),
        Reader(
            "embeddings", contents.safetensors_document(bank), contents.as_safetensors, "e", _bank
        ),
        Reader("detector", own, contents.as_safetensors, "own.safetensors", _own_detector, 2),
    ]


def model_reader(saved: Path) -> Reader:
    """config.json of a saved model.

    Args:
        saved: a folder that save_pretrained wrote.
    """
    config = json.loads((saved / "config.json").read_text())
    weights = saved / "model.safetensors"

    def read(path: Path) -> None:
        try:
            document = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return  # huggingface_hub reads it
        read_model(document, weights, str(path))

    return Reader("config.json", config, contents.as_json, "config.json", read, 1)


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


def _scene(seed: int) -> Scene:
    entities = random_entities(1, 5, seed)
    single = Entities(*(field[0].contiguous() for field in entities))
    maps = {"c5": torch.rand(4, 2, 3)}
    size = torch.tensor([48, 64])
    return Scene(single, torch.rand(8, 3, 4), torch.ones(3, 4, dtype=torch.bool), size, maps)


def _as_shard(document: Any, rng: Any) -> bytes:
    return encode(document, NAMES)


def _shard(path: Path) -> None:
    shard = Shard(path, NAMES, torch.float32)
    for row in range(len(NAMES)):
        scene = shard.scene(row)
        assert len(scene.entities.scores) == len(scene.entities.boxes)


def _checkpoint(path: Path) -> None:
    read_vocabulary(read_checkpoint(path)["vocabulary"])


def _detr(path: Path) -> None:
    read_weights(path)
    load_detr(path)


def _timm(path: Path) -> None:
    read_network_weights(path)


def _bank(path: Path) -> None:
    read_embeddings(path)


def _own_detector(path: Path) -> None:
    if is_own_file(path):
        TransformersDetector.from_file(path)
