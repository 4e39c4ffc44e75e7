"""A model as config.json and model.safetensors: weights and plain values, no code.

config.json names the classes that the model is made of. Only classes of this package are made, and
only modules of `models/` and the few others of `CLASSES` and `STRUCTURES`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest
from rmlr_lightning.detectors.bounded import bounded_construction
from rmlr_lightning.detectors.checkpoint_file import shortened
from rmlr_lightning.detectors.second_network import WithSecondNetwork
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.hub.saved_detector import check_detector, describe_detector, make_detector
from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.models.checkpoint import plain_vocabulary, read_vocabulary
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.calibration import Calibration, plain_calibration, read_calibration
from rmlr_lightning.ops.finite import check_weights
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.runs.targets import object_named
from rmlr_lightning.vocabulary import Vocabulary

LIBRARY = "rmlr_lightning"
FORMAT = 1  # grows when the contents change; other formats are refused
KEYS = {"model", "resize", "vocabulary", "calibration", "detector", "training"}

THRESHOLDS = ("score_threshold", "nms_iou", "min_instances", "max_instances")
ROOM = "rmlr_lightning.models."
CLASSES = (assemble, Selection, ResizeExact, ResizeShortest)
# by name, because timm is slow to import and few models need it
STRUCTURES = (f"{ROOM}clip_vision.clip_structure", f"{ROOM}pixel_network.timm_structure")
# Options of timm that read or download a file, and of transformers that download code
REFUSED_OPTIONS = {"checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}
REFUSED_OPTIONS |= {"attn_implementation", "_attn_implementation"}


class SavedModel(NamedTuple):
    """A model, and what its files hold beside weights."""

    model: HOIModel
    resize: ResizeExact | ResizeShortest  # images to the size of the detector's input
    vocabulary: Vocabulary
    parts: dict[str, Any]  # config of `model` without its detector, resolved
    resize_parts: dict[str, Any]  # config of `resize`
    training: dict[str, Any]  # name, seed, data, commit, metrics: for the model card
    calibration: Calibration | None = None  # from scores to probabilities
    shipped_detector: bool = False  # reference the shipped detector instead of writing it

    @property
    def knows_drawings_only(self) -> bool:
        """Whether it was trained on the synthetic benchmark."""
        return "synthetic" in self.training.get("data", {})


def write_model(saved: SavedModel, folder: Path) -> None:
    """Write config.json and model.safetensors.

    Raises:
        UserError: a part cannot be saved, or a file cannot be written.
    """
    # a folder that nobody could read
    _check_targets(
        {"model": saved.parts, "resize": saved.resize_parts},
        "the model cannot be saved as a folder",
    )
    # The library first: the hub and other readers recognise the model by it.
    config = {
        "library_name": LIBRARY,
        "format": FORMAT,
        "model": saved.parts,
        "resize": saved.resize_parts,
        "vocabulary": plain_vocabulary(saved.vocabulary),
        "calibration": plain_calibration(saved.calibration),
        "detector": describe_detector(saved.model.detector, saved.shipped_detector),
        "training": saved.training,
    }
    left_out = _of_detector(saved.model) if saved.shipped_detector else ()
    state = {
        name: _stored(value)
        for name, value in saved.model.state_dict().items()
        if not name.startswith(left_out)
    }
    # "format" is what transformers and the hub expect in the header
    write_atomic(folder / "model.safetensors", save(state, metadata={"format": "pt"}))
    write_atomic(folder / "config.json", json.dumps(config, indent=1).encode())


def rounded(saved: SavedModel) -> SavedModel:
    """Round the matrices of all but the detector to values of float16, in place.

    Raises:
        UserError: a value that float16 cannot hold.
    """
    # Vectors are small, and biases and statistics of normalisation suffer from rounding.
    detector = _of_detector(saved.model)
    for name, value in saved.model.state_dict().items():
        if _is_matrix(value) and not name.startswith(detector):
            value.copy_(value.half())
            if not value.isfinite().all():
                raise UserError(f"{name}: too large for float16; save it without rounding")
    return saved._replace(training=saved.training | {"rounded": True})


def _stored(value: Tensor) -> Tensor:
    """A matrix in float16 if that is exact; everything else as it is."""
    value = value.detach().cpu().contiguous().clone()
    half = value.half() if _is_matrix(value) else value
    return half if torch.equal(half.to(value.dtype), value) else value


def _is_matrix(value: Tensor) -> bool:
    return value.is_floating_point() and value.ndim > 1


def _of_detector(model: HOIModel) -> str:
    """How the names of the detector's weights begin, without those of a network beside it."""
    has_second = WithSecondNetwork.apart(model.detector)[1] is not None
    return "detector.detector." if has_second else "detector."


def read_model(config: dict[str, Any], weights: Path, name: str) -> SavedModel:
    """The model of a config.json and its weights, in float32 on the CPU.

    Args:
        name: folder or hub id, for messages.

    Raises:
        UserError: not a model of this package and version, or damaged.
    """
    if not isinstance(config, dict) or config.get("library_name") != LIBRARY:
        raise UserError(f"{name}: config.json is not of {LIBRARY}'s HOIDetector")
    if config.get("format") != FORMAT or not config.keys() >= KEYS:
        raise UserError(
            f"{name}: config.json has format {config.get('format')}, this version of {LIBRARY} "
            f"reads {FORMAT}; save the model again"
        )
    # Before anything is made: a class that is imported has run its module already.
    _check_targets({key: config[key] for key in ("model", "resize", "detector")}, name)
    state = _state(weights, name)
    numbers = sum(value.numel() for value in state.values())
    with bounded_construction(f"{name}: config.json", numbers):
        vocabulary = read_vocabulary(config["vocabulary"])
        calibration = read_calibration(config["calibration"], len(vocabulary.verbs))
        detector = make_detector(config["detector"])
        model = instantiate(config["model"], detector=detector)(vocabulary=vocabulary)
        resize = instantiate(config["resize"])
        if not isinstance(model, HOIModel) or not isinstance(resize, (ResizeExact, ResizeShortest)):
            raise TypeError("it is no model of interactions")
        _check_numbers(model.selection, resize)

    # The shipped detector has its weights; another one gets them from the file.
    without = _of_detector(model) if "shipped" in config["detector"] else ()
    _load(model, state, f"{name}: {weights.name}", without)
    check_detector(model.detector, config["detector"], name)
    return SavedModel(
        model,
        resize,
        vocabulary,
        config["model"],
        config["resize"],
        config["training"],
        calibration,
    )


def _check_numbers(selection: Selection, resize: ResizeExact | ResizeShortest) -> None:
    """Their constructors take anything, which the first image would meet."""
    numbers = [float(getattr(selection, name)) for name in THRESHOLDS]
    if min(*map(int, resize.largest), *numbers) < 0:
        raise ValueError("a threshold or a size of images is negative")


def _check_targets(node: Any, name: str) -> None:
    """A strange file must not name what is made or run."""
    for key, value in _values(node):
        # OmegaConf's resolvers would make any value of it, a `_target_` too
        if "${" in key or (isinstance(value, str) and "${" in value):
            raise UserError(f"{name}: config.json has an interpolation, {shortened([key])}")
        if key in REFUSED_OPTIONS:
            raise UserError(
                f"{name}: config.json has the option {key}, which reads other files or runs code"
            )
        if key == "_target_" and not _is_ours(value):
            raise UserError(
                f"{name}: config.json names {value!r}, which is not a module of {ROOM[:-1]}; "
                "only these are made"
            )


def _values(node: Any) -> Iterator[tuple[str, Any]]:
    """All keys of nested containers with their values."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key), value
            yield from _values(value)


def _is_ours(target: Any) -> bool:
    if not isinstance(target, str) or not target.startswith("rmlr_lightning."):
        return False
    if target in STRUCTURES:
        return True
    # A name that leads nowhere is as strange as one that leads out.
    made = object_named(target)
    # by what it is, because a path can lead out of the package: models.remine.torch.load
    is_module = isinstance(made, type) and issubclass(made, nn.Module)
    return made in CLASSES or (is_module and made.__module__.startswith(ROOM))


def _state(weights: Path, name: str) -> dict[str, Tensor]:
    try:
        return load_file(weights)
    except FileNotFoundError:
        raise UserError(f"{name}: no {weights.name} there") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{name}: {weights.name} is not readable ({error})") from error


def _load(model: HOIModel, state: dict[str, Tensor], source: str, without: str | tuple[()]) -> None:
    """Fill a model with all weights but those whose names begin with `without`."""
    check_weights(state, source)
    # By hand, because load_state_dict reports differences in many lines.
    ours = {key: value for key, value in model.state_dict().items() if not key.startswith(without)}
    differing = sorted(
        key
        for key in ours.keys() | state.keys()
        if key not in ours or key not in state or ours[key].shape != state[key].shape
    )
    if differing:
        raise UserError(
            f"{source} does not fit config.json (weights that differ: {len(differing)}, "
            f"such as {differing[0]})"
        )
    # copy_ converts float16 to the float32 of the model.
    for key, value in ours.items():
        value.copy_(state[key])
