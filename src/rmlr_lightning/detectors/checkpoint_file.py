"""Weights of other code: .pth and .safetensors files, read without running what is in them."""

import argparse
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import safe_globals

from rmlr_lightning.errors import UserError, raise_limits

# In these entries the training code of DETR ("model") and of UPT and PViC keep weights.
WEIGHTS = ("model", "model_state_dict")

# Options that neither keys nor shapes of the weights determine, and their types.
OPTIONS = {"enc_layers": int, "dec_layers": int, "nheads": int, "dilation": bool}

# In the weights of a whole model of UPT or PViC the detector's keys start with it.
PREFIX = "detector."


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of a detector, and the options it was trained with where the file has them.

    Three layouts are known: weights under "model" (DETR) or "model_state_dict" (UPT, PViC), or
    nothing but weights. Of a whole model of UPT or PViC only the detector is returned.

    Returns:
        Weights by key, without a prefix; options, empty if unknown.

    Raises:
        UserError: the file is damaged, holds code, or has no weights in one of these places.
    """
    content = _read(path)
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: holds a {type(content).__name__}, not weights by name")
    if "pytorch-lightning_version" in content:
        raise UserError(
            f"{path}: a checkpoint of a run, not a detector; `rmlr-train task=detection "
            "export=FILE` writes a detector"
        )

    # the first of the known entries, else the file itself is the state
    state = next((content[key] for key in WEIGHTS if key in content), content)
    weights = {} if not isinstance(state, Mapping) else dict(state)
    if not weights or not all(map(_is_weight, weights.items())):
        raise UserError(
            f"{path}: no weights by name, nor under {' or '.join(WEIGHTS)}; its entries are "
            f"{shortened(content)}"
        )

    # heads of a whole model are left out
    inside = {key.removeprefix(PREFIX): weights[key] for key in weights if key.startswith(PREFIX)}
    options = content.get("args", {})
    options = vars(options) if isinstance(options, argparse.Namespace) else options
    options = options if isinstance(options, dict) else {}
    for key, kind in OPTIONS.items():
        if key in options and type(options[key]) is not kind:
            raise UserError(f"{path}: {key} of its args is not of type {kind.__name__}")
    return inside or weights, options


def _is_weight(item: tuple[Any, Any]) -> bool:
    # sparse tensors, and those without values (meta), are saved by other tools than training
    key, value = item
    is_dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
    return isinstance(key, str) and is_dense


def shortened(names: Mapping | list[str], limit: int = 3) -> str:
    """The first of many names, and how many there are."""
    names = [str(name) for name in names]
    if not names:
        return "none"
    rest = f", ... ({len(names)})" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise_limits(error)
            raise UserError(f"{path}: not a readable safetensors file ({error})") from error
    try:
        # DETR keeps its options as a Namespace, which holds values and no code
        with safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other pickles, which are refused
            return torch.load(path, map_location="cpu", weights_only=True)
    # a damaged pickle can fail in any way
    except Exception as error:
        raise_limits(error)
        raise UserError(f"{path}: {why_not_read(path, error)}") from error


def why_not_read(path: Path, error: Exception) -> str:
    """Why torch did not read a file, in one line; its own message advises to run what is in it."""
    refused = re.search(r"GLOBAL (\S+)", str(error))
    if refused:
        return (
            f"holds an object of {refused[1]}, which could run code and is not read; save the "
            "weights alone (a state_dict)"
        )
    return f"not a readable PyTorch checkpoint; {cause_of_damage(path)}"


def cause_of_damage(path: Path) -> str:
    """What is probably wrong with a file that is not readable, and the way out."""
    with open(path, "rb") as file:
        start = file.read(1000)
    # UPT's and PViC's weights are on Google Drive, which asks before it sends a large file
    if start.lstrip().startswith(b"<"):
        return "it is a web page: download the file itself, in a browser"
    return "truncated, or a file of another kind: copy it again"
