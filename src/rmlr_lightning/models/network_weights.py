"""Weights of an image network from a file of the user: read without running code, and strict."""

import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from rmlr_lightning.errors import UserError, raise_limits
from rmlr_lightning.ops.finite import check_weights

NESTED = ("state_dict", "model")  # where training codes keep the weights
OPTION = "model.remine.weights"


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Fill a timm network from a file: timm's own weights, or another layout that timm converts.

    Weights of a classifier, which the network lacks, are left out. Position embeddings of another
    size are interpolated, where timm does so.

    Raises:
        UserError: no such file, not one of weights, or of another network; names some keys.
    """
    state = read_weights(Path(path))
    # Converts the layouts of the authors' own releases, such as OpenAI's CLIP.
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is not None:
        try:
            state = convert(state, network)
        except (KeyError, RuntimeError, ValueError, AttributeError, IndexError) as error:
            raise UserError(f"{OPTION}={path}: not weights of this network ({error})") from error

    # timm knows what the classifier of each network is called; some have two.
    heads = network.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    state = {
        name: value
        for name, value in state.items()
        if not any(name.startswith(f"{head}.") for head in heads)
    }
    check_same(network, state, f"{OPTION}={path}")
    check_weights(state, f"{OPTION}={path}")
    network.load_state_dict(state)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a .safetensors file or a PyTorch checkpoint.

    Raises:
        UserError: no such file, or one that holds no weights by name.
    """
    if not path.is_file():
        raise UserError(f"{OPTION}={path}: no such file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    # a damaged file can fail in any way
    except Exception as error:
        raise_limits(error)
        reason = str(error).partition("\n")[0].partition("(1)")[0].strip()
        raise UserError(f"{OPTION}={path}: not a readable file of weights ({reason})") from error

    # Of a training run's checkpoint only the weights are wanted.
    if isinstance(state, Mapping):
        state = next((state[name] for name in NESTED if name in state), state)
    if (
        not isinstance(state, Mapping)
        or not state
        or not all(isinstance(value, Tensor) for value in state.values())
    ):
        raise UserError(f"{OPTION}={path}: holds no weights by name")
    return dict(state)


def check_same(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Compare names and shapes of weights with those of a network.

    Raises:
        UserError: they differ.
    """
    ours = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in state.items()}
    missing, unexpected = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    shapes = sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])
    kinds = {"missing": missing, "unexpected": unexpected, "of other shape": shapes}
    wrong = [f"{len(names)} {kind}, such as {names[0]}" for kind, names in kinds.items() if names]
    if wrong:
        raise UserError(f"{source}: weights of another network ({'; '.join(wrong)})")
