"""The model card: what a saved model is, how it was trained, and the metrics that were measured."""

import re
from collections.abc import Sequence
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from rmlr_lightning.detectors.second_network import WithSecondNetwork
from rmlr_lightning.errors import printable
from rmlr_lightning.hub.saved_model import LIBRARY, SavedModel

PAPER = "https://arxiv.org/abs/2307.13529"
USE = """```python
from rmlr_lightning import HOIDetector

model = HOIDetector.from_pretrained("FOLDER or hub id")
result = model.predict("image.jpg")
for found in result.likely:
    print(found.verb, found.object, found.box_h, found.box_o, found.probability)
result.plot().save("drawn.png")
```"""


def model_card(saved: SavedModel) -> ModelCard:
    """Nothing in it is a template's default: what is not known is left out."""
    # Not from the template of huggingface_hub, which asks for what is not known here.
    training = saved.training
    data = ModelCardData(
        library_name=LIBRARY,
        pipeline_tag="object-detection",
        tags=["human-object-interaction", "hoi-detection", "rmlr"],
    )
    vocabulary = saved.vocabulary
    lines = [
        "---",
        data.to_yaml(),
        "---",
        "",
        "# Human-object interaction detector",
        "",
        f"Configuration `{_code(training['name'])}` of {LIBRARY} (RmLR, {PAPER}): given an image,",
        "it predicts <human, verb, object> triplets with both boxes and a score.",
        "",
        USE,
        "",
        "## Contents",
        "",
        f"- {len(vocabulary.verbs)} verbs, {len(vocabulary.objects)} object classes and "
        f"{len(vocabulary.hois)} HOIs, by name in config.json.",
        f"- {_detector(saved)}",
        f"- {_precision(saved)}",
        f"- {_calibration(saved)}",
        "",
        "## Training",
        "",
        *_training(training),
        "",
        "## Metrics",
        "",
        *_metrics(training["metrics"]),
        "",
        *_limits(training.get("data", {})),
    ]
    return ModelCard("\n".join(lines))


def _text(value: object) -> str:
    """A name of anybody's, as text on one line: no table, link, HTML or heading begins in it."""
    return re.sub(r"([\\`*\[\]<>|&~$#])", r"\\\1", printable(str(value)))


def _names(values: Sequence[object]) -> str:
    return ", ".join(map(_text, values))


def _code(value: object) -> str:
    """A name between backticks, where nothing has a meaning but the backtick."""
    return printable(str(value)).replace("`", "'")


def _detector(saved: SavedModel) -> str:
    detector, second = WithSecondNetwork.apart(saved.model.detector)
    kind = detector.fingerprint().get("network", type(detector).__name__)
    head = "The head"
    if second is not None:
        head += f", the frozen network {_text(second.name)} whose features it reads"
    if saved.shipped_detector:
        return f"{head}; its frozen detector ({_text(kind)}) is the one that ships with {LIBRARY}."
    return f"{head} and its frozen detector ({_text(kind)})."


def _precision(saved: SavedModel) -> str:
    # A rounded model that is read and saved again stays a rounded one.
    if saved.training.get("rounded"):
        _, second = WithSecondNetwork.apart(saved.model.detector)
        whose = "The head's" if second is None else "The head's and the frozen network's"
        return f"{whose} matrices are rounded to float16; they are used in float32."
    return "Weights are those of the checkpoint, in float16 only where that is exact."


def _calibration(saved: SavedModel) -> str:
    if saved.calibration is None:
        return "No calibration: scores rank, and are no probabilities."
    return "A calibration, fitted on the validation split, from scores to probabilities."


def _training(training: dict[str, Any]) -> list[str]:
    if "released" in training:
        return [
            f"- weights of the released checkpoint {_text(training['released'])}, by its authors"
        ]
    data = training["data"]
    lines = [
        f"- data: {_names(data['train'])} (training), {_names(data['test'])} (test)",
        f"- seed: {_text(training['seed'])}",
    ]
    if "synthetic" in data:
        values = _names([f"{name}={value}" for name, value in data["synthetic"].items()])
        lines.insert(0, f"- synthetic benchmark of {LIBRARY}: {values}")
    if training["commit"]:
        lines.append(f"- commit of {LIBRARY}: {_text(training['commit'])}")
    return lines


def _metrics(metrics: dict[str, float]) -> list[str]:
    # As measured: neither rounded to percent nor chosen.
    if not metrics:
        return ["None is recorded with this checkpoint."]
    rows = [
        f"| {_text(name.removeprefix('test/'))} | {value:.4f} |" for name, value in metrics.items()
    ]
    return ["Of the run's test split, one seed:", "", "| metric | value |", "|---|---|", *rows]


def _limits(data: dict[str, Any]) -> list[str]:
    # A user who tries the shipped model on a photograph must know what to expect.
    if "synthetic" not in data:
        return []
    return [
        "## Limits",
        "",
        "Trained on rendered images: detections and scores on photographs are not meaningful.",
        "",
    ]
