"""Readers of caches, weights, checkpoints and saved models, with a small valid file for each."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from rmlr_lightning.cache.shard import Shard, encode
from rmlr_lightning.detectors.checkpoint_file import read_weights
from rmlr_lightning.detectors.detr_checkpoint import load_detr
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import is_own_file, save_network
from rmlr_lightning.hub.saved_model import read_model
from rmlr_lightning.models.checkpoint import (
    CHECKPOINT_FORMAT,
    plain_vocabulary,
    read_checkpoint,
    read_vocabulary,
)
from rmlr_lightning.models.network_weights import read_weights as read_network_weights
from rmlr_lightning.text.bank import TextEmbeddings, read_embeddings, to_bytes
from rmlr_lightning.types import Entities, Scene
from tests.faults.fuzz import contents
from tests.faults.fuzz.harness import Reader
from tests.metrics.tiny_worlds import VOCABULARY
from tests.scenes import random_entities
from tests.tiny_detectors import tiny_detector

NAMES = ("a.jpg", "b.jpg")


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
        Reader("detr.pth", detr, contents.as_torch, "detr.pth", _detr, 5),
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
