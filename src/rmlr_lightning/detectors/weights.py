"""Networks of transformers' DETR family: from a configuration, the hub, or one of our weight files.

A weight file is one safetensors file. Its metadata holds the network's configuration and all that
is needed to interpret its outputs.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForObjectDetection, PreTrainedModel

from rmlr_lightning.detectors.bounded import bounded_construction
from rmlr_lightning.detectors.checkpoint_file import shortened
from rmlr_lightning.detectors.initialization import initialize_for_training
from rmlr_lightning.detectors.set_loss import COLLECTED
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import ask_hub, write_atomic
from rmlr_lightning.ops.finite import check_weights

FAMILY = (
    "detr",
    "conditional_detr",
    "deformable_detr",
    "rt_detr",
    "rt_detr_v2",
    "d_fine",
    "rf_detr",
)


def network_from_config(model_type: str, **config: Any) -> PreTrainedModel:
    """A randomly initialised detector of the DETR family, ready to be trained from scratch.

    Args:
        model_type: one of `FAMILY`.
        config: options of the transformers configuration of `model_type`.

    Raises:
        UserError: `model_type` is not one of `FAMILY`.
    """
    if model_type not in FAMILY:
        raise UserError(
            f"detector model_type={model_type!r} is not of the DETR family; "
            f"choose one of {', '.join(FAMILY)}"
        )
    network = AutoModelForObjectDetection.from_config(AutoConfig.for_model(model_type, **config))
    _check_auxiliary_loss(model_type, network)
    initialize_for_training(network)
    return network


def network_from_hub(name: str, **options: Any) -> PreTrainedModel:
    """A pretrained detector by hub id (`facebook/detr-resnet-50`) or local folder in that layout.

    Raises:
        UserError: the folder or hub id cannot be loaded, is not of the DETR family, or its weights
            do not fill the network key by key.
    """
    options = {"dtype": torch.float32} | options
    try:
        ask_hub(name, revision=options.get("revision"))
        network, info = AutoModelForObjectDetection.from_pretrained(
            name, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"detector {name!r}: neither a local model folder nor available from the hub ({reason})"
        ) from error
    if network.config.model_type not in FAMILY:
        raise UserError(
            f"detector {name!r} is a {network.config.model_type}; supported are {', '.join(FAMILY)}"
        )

    # transformers fills what it does not find with random values
    problems = {
        "missing": info["missing_keys"],
        "unexpected": info["unexpected_keys"],
        "of another shape": [key for key, *_ in info["mismatched_keys"]],
    }
    found = [f"{what}: {shortened(sorted(keys))}" for what, keys in problems.items() if keys]
    if found:
        raise UserError(
            f"detector {name!r}: its weights do not fit its config.json; {'; '.join(found)}"
        )
    check_weights(network.state_dict(), f"detector {name!r}")
    _check_auxiliary_loss(name, network)
    return network


def _check_auxiliary_loss(name: str, network: PreTrainedModel) -> None:
    """Refuse an option of transformers that changes the outputs (see `detectors.set_loss`)."""
    if network.config.model_type in COLLECTED and network.config.auxiliary_loss:
        raise UserError(
            f"detector {name!r}: auxiliary_loss=true changes its outputs; leave it out, the "
            "detection task adds the losses of all layers without it"
        )


def save_network(
    network: PreTrainedModel,
    path: Path,
    metadata: dict[str, Any],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a network as one self-contained safetensors file.

    Args:
        metadata: what the outputs mean (`TransformersDetector.interpretation`) and how the network
            was made; plain JSON values.
        dtype: precision of the stored matrices. Vectors and buffers (such as the statistics of
            batch normalisation) keep their own.

    Raises:
        UserError: the file cannot be written.
    """
    state = {
        name: _stored(value, dtype).contiguous().clone()
        for name, value in network.state_dict().items()
    }
    header = {
        "model_type": network.config.model_type,
        "config": network.config.to_json_string(use_diff=False),
    }
    header |= {key: json.dumps(value) for key, value in metadata.items()}

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, save(state, metadata=header))


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    is_matrix = value.is_floating_point() and value.ndim > 1
    return value.to(dtype) if is_matrix else value


def is_own_file(path: Path) -> bool:
    """Whether a file is one that `save_network` wrote."""
    if path.suffix != ".safetensors":
        return False
    with suppress(SafetensorError), safe_open(path, "pt") as file:
        return {"config", "model_type"} <= set(file.metadata() or {})
    return False


def load_network(path: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Read what `save_network` wrote: the network in float32, and the metadata.

    Raises:
        UserError: no such file, or not one of our weight files.
    """
    if not path.is_file():
        raise UserError(
            f"{path}: no such detector weights; `rmlr-train experiment=detector` makes them"
        )
    try:
        with safe_open(path, "pt") as file:
            header = dict(file.metadata() or {})
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from error
    if "config" not in header or "model_type" not in header:
        raise UserError(
            f"{path}: not written by `rmlr-train task=detection` (no configuration in its metadata)"
        )

    check_weights(state, str(path))
    numbers = sum(value.numel() for value in state.values())
    with bounded_construction(f"{path}: its configuration", numbers):
        network = network_of(header.pop("model_type"), json.loads(header.pop("config")))
        metadata = {key: json.loads(value) for key, value in header.items()}
        network.load_state_dict(
            {
                name: value.float() if value.is_floating_point() else value
                for name, value in state.items()
            }
        )
    _check_metadata(path, metadata)
    return network, metadata


def _check_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """What `TransformersDetector.interpretation` gives."""
    for key, kinds in (
        ("objects", (str, type(None))),
        ("mean", (int, float)),
        ("std", (int, float)),
    ):
        values = metadata.get(key)
        if not isinstance(values, list) or not all(isinstance(value, kinds) for value in values):
            raise UserError(f"{path}: its metadata has no list of {key}; it is damaged")
        if key != "objects" and len(values) != 3:
            raise UserError(f"{path}: {key} of its metadata are {len(values)} values, not 3")


def network_of(model_type: str, config: dict[str, Any]) -> PreTrainedModel:
    """A randomly initialised network of a complete configuration of transformers.

    Nothing is downloaded, a pretrained backbone neither: the weights are loaded afterwards.
    """
    config = {key: value for key, value in config.items() if key != "model_type"}
    if config.get("use_pretrained_backbone"):
        config["use_pretrained_backbone"] = False
    return AutoModelForObjectDetection.from_config(AutoConfig.for_model(model_type, **config))


def copy_backbone(path: Path, network: PreTrainedModel) -> None:
    """Copy the backbone's weights from one of our weight files into `network`.

    DETR, Conditional and Deformable DETR freeze the statistics of batch normalisation, so they
    cannot learn a backbone from scratch. This gives them one without a download.

    Raises:
        UserError: the file's backbone has other layers or shapes.
    """
    trained = _backbone_state(load_network(path)[0])
    own = _backbone_state(network)

    shapes = {name: value.shape for name, value in own.items()}
    if {name: value.shape for name, value in trained.items()} != shapes:
        raise UserError(
            f"{path}: its backbone has other layers than the detector's; "
            "give both one backbone_config"
        )
    for name, value in own.items():
        value.copy_(trained[name])


def _backbone_state(network: PreTrainedModel) -> dict[str, Tensor]:
    """Weights and buffers; frozen batch normalisation has no counter, so counters are left out."""
    state = network.model.backbone.model.state_dict()
    return {name: value for name, value in state.items() if "num_batches" not in name}


def weights_hash(network: nn.Module) -> str:
    """SHA-256 over names, shapes, types and values of all weights and buffers."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        content = value.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(content.numpy().tobytes())
    return digest.hexdigest()
