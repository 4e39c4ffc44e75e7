"""Prints the largest difference of each exported head from the eager one, per format.

Before that it follows the commands of `rmlr-export` that are given, in the same folder. In a
process of its own, because the shape checks of the tests cannot be traced.
"""

import json
import math
import os
import shlex
import sys
import traceback
import warnings
from functools import partial
from pathlib import Path

import onnxruntime
import torch

from rmlr_lightning.cli import export
from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.export.head import Capacity, ExportableHead, head_inputs
from rmlr_lightning.export.program import export_head, write_onnx, write_torch
from rmlr_lightning.models.pixel_network import timm_network
from rmlr_lightning.models.remine import DetectorMap
from rmlr_lightning.models.remine_backbone import Backbone
from rmlr_lightning.types import Inputs, Scene
from tests.models.test_hoi import REMINE, model_of
from tests.scenes import random_images, random_scene

CAPACITY = Capacity(entities=12, pairs=70)
CANVAS = (160, 352)  # of the further maps, other than of the traced graph
REMINE["c5"] = partial(DetectorMap, map="c5")
NETWORK = partial(timm_network, "resnet10t", stride=16, stem_width=8, channels=[8, 8, 16, 16])
REMINE["second"] = partial(Backbone, dim=16, frozen=True, network=NETWORK)


def scene_of(batch: int, detector: Detector) -> Scene:
    """Another number of images than the graph was traced with; the last has no entity."""
    scene = random_scene(batch, 14, seed=batch)
    mask = scene.entities.mask.clone()
    mask[-1] = False
    generator = torch.Generator().manual_seed(batch)
    maps = {}
    for name, dim in detector.map_dims.items():
        cells = [side // detector.map_strides[name] for side in CANVAS]
        maps[name] = torch.randn(batch, dim, *cells, generator=generator)
    return scene._replace(entities=scene.entities._replace(mask=mask), maps=maps)


def differences(folder: str, remine: str, ire: str, irm: str) -> dict[str, float]:
    """Of one composition, by format."""
    model = model_of(remine, ire, irm)
    program, inputs = export_head(model, CAPACITY, canvas=(48, 64))
    write_onnx(program, inputs, Path(folder, "parity.onnx"))
    write_torch(program, Path(folder, "parity.pt2"))
    loaded = torch.export.load(Path(folder, "parity.pt2")).module()
    session = onnxruntime.InferenceSession(Path(folder, "parity.onnx"))

    found = {"torch": 0.0, "onnx": 0.0, "model": 0.0}
    for batch in (1, 3, 5):
        images = random_images(batch)
        with torch.inference_mode():
            prediction = model(Inputs(images, scene_of(batch, model.detector)))
        values = head_inputs(model, prediction.scene, prediction.pairs, CAPACITY, images)
        with torch.no_grad():
            expected = ExportableHead(model)(*values.values())
            exported = loaded(*values.values())
        run = session.run(None, {name: value.numpy() for name, value in values.items()})

        real = prediction.pairs.mask
        eager = expected[0][:, : real.shape[1]][real]
        pairs = {
            "torch": zip(exported, expected, strict=True),
            "onnx": zip(map(torch.from_numpy, run), expected, strict=True),
            "model": [(prediction.logits[real], eager)],
        }
        for name, both in pairs.items():
            for a, b in both:
                found[name] = max([found[name], *(a - b).abs().flatten().tolist()])
    return found


def main(folder: str, *arguments: str) -> None:
    typed = [words for words in map(shlex.split, arguments) if words[0] == "rmlr-export"]
    os.chdir(folder)
    for words in typed:
        export.main(words[1:])
    compositions = arguments[: len(arguments) - len(typed)]

    found = {}
    for composition in compositions:
        torch.compiler.reset()
        try:
            found[composition] = differences(folder, *composition.split())
        except Exception:
            found[composition] = {traceback.format_exc(): math.inf}
    print(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
