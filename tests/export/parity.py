"""Prints the largest difference of each exported head from the eager one, per format.

Of some compositions, and of the files that given commands of `rmlr-export` write. In a process of
its own, because the shape checks of the tests cannot be traced.
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
from rmlr_lightning.export.head import Capacity, ExportableHead, full_capacity, head_inputs
from rmlr_lightning.export.program import export_head, write_onnx, write_torch
from rmlr_lightning.hub.detector import load_detector
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.models.pixel_network import timm_network
from rmlr_lightning.models.remine import DetectorMap
from rmlr_lightning.models.remine_backbone import Backbone
from rmlr_lightning.types import Inputs, Scene
from tests.models.test_hoi import REMINE, TRACED, model_of
from tests.scenes import random_images, random_scene

CAPACITY = Capacity(entities=12, pairs=70)
CANVAS = (160, 352)  # of the further maps, other than of the traced graph
REMINE["c5"] = partial(DetectorMap, map="c5")
NETWORK = partial(timm_network, "resnet10t", stride=16, stem_width=8, channels=[8, 8, 16, 16])
REMINE["second"] = partial(Backbone, dim=16, frozen=True, network=NETWORK)


def scene_of(batch: int, detector: Detector) -> Scene:
    """Another number of images than the graph was traced with; the last has no entity."""
    scene = random_scene(batch, 14, seed=batch, width=detector.memory_dim)
    mask = scene.entities.mask.clone()
    mask[-1] = False
    generator = torch.Generator().manual_seed(batch)
    maps = {}
    for name, dim in detector.map_dims.items():
        cells = [side // detector.map_strides[name] for side in CANVAS]
        maps[name] = torch.randn(batch, dim, *cells, generator=generator)
    return scene._replace(entities=scene.entities._replace(mask=mask), maps=maps)


def of_composition(remine: str, ire: str, irm: str) -> dict[str, float]:
    """Differences of one composition, by format."""
    model = model_of(remine, ire, irm, TRACED)
    program, inputs = export_head(model, CAPACITY, canvas=(48, 64))
    write_onnx(program, inputs, Path("parity.onnx"))
    write_torch(program, Path("parity.pt2"))
    return differences(model, CAPACITY, "parity")


def of_commands(commands: list[list[str]]) -> dict[str, float]:
    """Of the model and the files of commands: both formats of one checkpoint, at `head`."""
    for words in commands:
        export.main(words[1:])
    model = load_detector(commands[0][1]).model
    return differences(model, full_capacity(model), "head")


def differences(model: HOIModel, capacity: Capacity, name: str) -> dict[str, float]:
    """Of the files with this name from the model, by format."""
    loaded = torch.export.load(f"{name}.pt2").module()
    session = onnxruntime.InferenceSession(f"{name}.onnx")

    found = {"torch": 0.0, "onnx": 0.0, "model": 0.0}
    for batch in (1, 3, 5):
        images = random_images(batch)
        with torch.inference_mode():
            prediction = model(Inputs(images, scene_of(batch, model.detector)))
        values = head_inputs(model, prediction.scene, prediction.pairs, capacity, images)
        with torch.no_grad():
            expected = ExportableHead(model)(*values.values())
            exported = loaded(*values.values())
        run = session.run(None, {name: value.numpy() for name, value in values.items()})

        real = prediction.pairs.mask
        assert real.any() or batch == 1
        eager = expected[0][:, : real.shape[1]][real]
        pairs = {
            "torch": zip(exported, expected, strict=True),
            "onnx": zip(map(torch.from_numpy, run), expected, strict=True),
            "model": [(prediction.logits[real], eager)],
        }
        for kind, both in pairs.items():
            for a, b in both:
                found[kind] = max([found[kind], *(a - b).abs().flatten().tolist()])
    return found


def main(folder: str, *arguments: str) -> None:
    os.chdir(folder)
    jobs = {name: partial(of_composition, *name.split()) for name in arguments if "--" not in name}
    typed = [shlex.split(words) for words in arguments if words not in jobs]
    jobs["as typed"] = partial(of_commands, typed)

    found = {}
    for name, job in jobs.items():
        torch.compiler.reset()
        try:
            found[name] = job()
        except Exception:
            found[name] = {traceback.format_exc(): math.inf}
    print(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
