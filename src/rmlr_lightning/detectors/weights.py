"""The DETR family of transformers: made from a configuration, a hub id, or one of our weight files."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModelForObjectDetection, PreTrainedModel

from rmlr_lightning.detectors.initialization import start
from rmlr_lightning.errors import UserError

FAMILY = ("detr", "conditional_detr", "deformable_detr", "rt_detr", "rt_detr_v2", "d_fine")


def fresh_network(model_type: str, **config: Any) -> PreTrainedModel:
    """A randomly initialised detector of the DETR family.

    `config` goes to the transformers configuration of `model_type`; see `models.initial` for how it starts.
    """
    if model_type not in FAMILY:
        raise UserError(
            f"detector model_type={model_type!r} is not of the DETR family; choose one of {', '.join(FAMILY)}"
        )
    network = AutoModelForObjectDetection.from_config(AutoConfig.for_model(model_type, **config))
    start(network)
    return network


def pretrained_network(name: str, **options: Any) -> PreTrainedModel:
    """A detector from the Hugging Face hub or a local folder in its layout, such as `facebook/detr-resnet-50`."""
    try:
        return AutoModelForObjectDetection.from_pretrained(name, **options)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"detector {name!r}: neither a local model folder nor to be had from the hub ({reason})"
        ) from error


def save_network(
    network: PreTrainedModel, path: Path, facts: dict[str, Any], dtype: torch.dtype = torch.float16
) -> None:
    """Write weights and all that is needed to use them as one safetensors file.

    `facts` (labels, input size, how it was made, what it reaches) and the configuration become its metadata. Matrices
    are stored as `dtype`; buffers and vectors (batch-norm statistics) keep their precision.
    """
    state = {
        name: (value.to(dtype) if value.is_floating_point() and value.ndim > 1 else value)
        .contiguous()
        .clone()
        for name, value in network.state_dict().items()
    }
    metadata = {
        "model_type": network.config.model_type,
        "config": network.config.to_json_string(use_diff=False),
    }
    metadata |= {key: json.dumps(value) for key, value in facts.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    save_file(state, scratch, metadata=metadata)
    scratch.replace(path)


def load_network(path: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Read what `save_network` wrote: the network in float32, and its facts."""
    if not path.is_file():
        raise UserError(
            f"{path}: no such detector weights; `rmlr-train experiment=detector` makes them"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
        state = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from error
    if "config" not in metadata or "model_type" not in metadata:
        raise UserError(
            f"{path}: not written by `rmlr-train task=detection` (no configuration in its metadata)"
        )
    config = {
        key: value
        for key, value in json.loads(metadata.pop("config")).items()
        if key != "model_type"
    }
    network = AutoModelForObjectDetection.from_config(
        AutoConfig.for_model(metadata.pop("model_type"), **config)
    )
    network.load_state_dict(
        {name: v.float() if v.is_floating_point() else v for name, v in state.items()}
    )
    return network, {key: json.loads(value) for key, value in metadata.items()}


def copy_trunk(path: Path, network: PreTrainedModel) -> None:
    """Give `network` the backbone weights of one of our files.

    Some of the family (DETR, Conditional and Deformable DETR) freeze the statistics of batch normalisation, and so
    cannot learn a backbone from scratch; these files are how they get one without a download.

    Raises:
        UserError: the file's backbone has other weights or shapes.
    """
    source, _ = load_network(path)
    state = {
        name: value
        for name, value in _trunk(source).state_dict().items()
        if "num_batches" not in name
    }
    own = {
        name: value
        for name, value in _trunk(network).state_dict().items()
        if "num_batches" not in name
    }
    if {name: value.shape for name, value in state.items()} != {
        name: value.shape for name, value in own.items()
    }:
        raise UserError(
            f"{path}: its backbone has other layers than the detector's; give both one backbone_config"
        )
    for name, value in own.items():
        value.copy_(state[name])


def _trunk(network: PreTrainedModel) -> nn.Module:
    return network.model.backbone.model


def weights_hash(network: nn.Module) -> str:
    """sha256 over names, shapes and values of all weights and buffers; names a frozen detector in checkpoints."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(
            value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
