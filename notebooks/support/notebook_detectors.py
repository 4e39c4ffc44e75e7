"""Detectors that notebook 1 compares: the shipped one, and others whose weights are there.

`rmlr-train` writes them below RMLR_OUTPUTS (outputs). At the small size each is trained for a few
steps instead.
"""

import contextlib
import io
import os
import warnings
from pathlib import Path

from hydra import compose, initialize_config_dir

import rmlr_lightning
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.framework_messages import silence_framework_messages
from rmlr_lightning.runs.training import train
from support.notebook_runs import SMALL, TINY, scratch

SHIPPED = "RT-DETRv2 (shipped)"
SHIPPED_WEIGHTS = "detector_synthetic.safetensors"
OTHERS = {"Conditional DETR": "conditional", "Deformable DETR": "deformable", "D-FINE": "d_fine"}


def detectors() -> dict[str, TransformersDetector]:
    """By architecture. For missing weights a line names the command that trains them."""
    silence_framework_messages()
    found = {SHIPPED: Path(rmlr_lightning.__file__).parent / "weights" / SHIPPED_WEIGHTS}
    for name, option in OTHERS.items():
        path = _tiny_detector(option) if SMALL else _weights(option)
        if path.is_file():
            found[name] = path
        else:
            print(
                f"{name}: no weights in outputs/detector_{option}; `rmlr-train "
                f"experiment=detector detector={option} name=detector_{option}` trains them "
                "(RMLR_OUTPUTS names another folder)"
            )
    return {name: TransformersDetector.from_file(path) for name, path in found.items()}


def heads(row: str = "visual") -> dict[str, list[Path]]:
    """Checkpoints of HOI models on the other detectors, by architecture, one per seed.

    For missing checkpoints a line names the command that trains one.
    """
    if SMALL:  # detectors of a few steps: no model was trained on them
        return {}
    found = {}
    for name, option in OTHERS.items():
        folders = sorted(_outputs().glob(f"{row}_{option}"))
        folders += sorted(_outputs().glob(f"{row}_{option}_[0-9]*"))
        paths = [folder / "checkpoints" / "best.ckpt" for folder in folders]
        found[name] = [path for path in paths if path.is_file()]
        if not found[name]:
            print(
                f"{name}: no IRE in outputs/{row}_{option}; `rmlr-train experiment={row} "
                "model/detector=file "
                f"model.detector.path=outputs/detector_{option}/detector.safetensors "
                f"name={row}_{option}` trains one, `seed=1 name={row}_{option}_1` another"
            )
    return found


def _outputs() -> Path:
    return Path(os.environ.get("RMLR_OUTPUTS", Path(conf_dir()).parent / "outputs"))


def _weights(option: str) -> Path:
    return _outputs() / f"detector_{option}" / "detector.safetensors"


def _tiny_detector(option: str) -> Path:
    """Weights of a detector after two steps on the tiny data set."""
    output = scratch() / f"detector_{option}"
    output.mkdir(parents=True, exist_ok=True)
    overrides = [
        "experiment=detector",
        f"detector={option}",
        "test=false",
        "callbacks.recovery=null",
        f"paths.data='{scratch()}'",
        f"paths.output='{output}'",
        *TINY,
        "trainer.max_steps=2",
        "trainer.precision=32-true",
        f"data.prepare.out='{scratch()}/synthetic'",
        "data.prepare.config.seed=0",
        "data.batch_size=4",
    ]
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose("train", overrides)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(config)
    return output / "detector.safetensors"
