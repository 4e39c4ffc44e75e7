"""A detector of transformers' DETR family as plain values; its weights are saved with the head's.

Or a reference to the detector that ships with the package, by the hash of its weights.
"""

import json
from pathlib import Path
from typing import Any

from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.detectors.second_network import WithSecondNetwork
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import network_of
from rmlr_lightning.errors import UserError

SHIPPED = Path(__file__).parents[1] / "weights" / "detector_synthetic.safetensors"


def describe_detector(detector: Detector, shipped: bool = False) -> dict[str, Any]:
    """All but the weights, of which it holds the hash.

    A frozen network beside the detector is made by the extractor that reads it
    (`Backbone.parts`); the description has its hash and its maps.

    Args:
        shipped: reference the shipped detector, which it must be.

    Raises:
        UserError: a detector outside transformers, or not the shipped one.
    """
    first, second = WithSecondNetwork.apart(detector)
    beside = {} if second is None else {"second_network": second.fingerprint()}
    return _describe(first, shipped) | beside


def _describe(detector: Detector, shipped: bool) -> dict[str, Any]:
    weights = detector.fingerprint()["weights"]
    if shipped:
        if TransformersDetector.from_file(SHIPPED).fingerprint()["weights"] != weights:
            raise UserError(f"the detector is not the shipped one ({SHIPPED.name})")
        return {"shipped": SHIPPED.name, "weights": weights}
    if not isinstance(detector, TransformersDetector):
        raise UserError(
            f"a detector of class {type(detector).__name__} cannot be saved in a folder; only "
            "those of transformers can. Use the checkpoint"
        )
    return {
        "model_type": detector.network.config.model_type,
        # complete, so that another version of transformers with other defaults reads the same
        "network": json.loads(detector.network.config.to_json_string(use_diff=False)),
        "classes": list(detector.classes),
        "mean": detector.mean.flatten().tolist(),
        "std": detector.std.flatten().tolist(),
        "weights": weights,
    }


def check_detector(detector: Detector, description: dict[str, Any], name: str) -> None:
    """The detector that was made must be the one that the head was trained with.

    Raises:
        UserError: it is not, or gets its pixels otherwise.
    """
    first, second = WithSecondNetwork.apart(detector)
    if first.fingerprint()["weights"] != description.get("weights"):
        raise UserError(f"{name}: the detector's weights are not those it was trained with")
    theirs = description.get("second_network")
    if (None if second is None else second.fingerprint()) != theirs:
        raise UserError(f"{name}: the frozen network beside the detector is not the saved one")


def make_detector(description: dict[str, Any]) -> TransformersDetector:
    """The reverse of `describe_detector`, without a second network.

    With random weights unless it is the shipped one.
    """
    if "shipped" in description:
        return TransformersDetector.from_file(SHIPPED)
    return TransformersDetector(
        network_of(description["model_type"], description["network"]),
        description["classes"],
        mean=description["mean"],
        std=description["std"],
    )
