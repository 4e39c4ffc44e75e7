"""Prints for each composition "same" if the compiled model equals the eager one, else the error.

In a process of its own, because the shape checks of the tests cannot be traced.
"""

import json
import sys
import traceback
from functools import partial

import torch

from rmlr_lightning.models import pvic_map
from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.types import Inputs
from rmlr_lightning.vocabulary import hicodet
from tests.models.test_hoi import IRMS, REMINE, SELECTION, TRACED
from tests.scenes import random_scene
from tests.tiny_detectors import tiny_detector


def backend(graph, inputs):
    """Traced as for a GPU, but not turned into machine code; with its backward pass in training."""
    name = "aot_eager" if torch.is_grad_enabled() else "eager"
    return torch._dynamo.lookup_backend(name)(graph, inputs)


torch.compile = partial(torch.compile, backend=backend)


def compare(remine: str, ire: str, irm: str) -> None:
    """Raises an error if they differ."""
    pvic_map.STOCHASTIC_DEPTH = 0.0  # a draw for each call
    models = []
    for compiled in (False, True):
        torch.manual_seed(1)
        parts = (tiny_detector(), SELECTION, REMINE[remine], TRACED[ire], IRMS[irm])
        model = assemble(hicodet(), *parts, compiled=compiled)
        for part in model.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        models.append(model)
    for mode in (False, True):
        for seed in (7, 8):
            scene = random_scene(2, 9, seed=seed)
            with torch.set_grad_enabled(mode):
                expected, found = (model.train(mode)(Inputs(None, scene)) for model in models)
            logits = [prediction.logits[prediction.pairs.mask] for prediction in (found, expected)]
            torch.testing.assert_close(*logits, atol=1e-5, rtol=1e-4)
    logits[0].sum().backward()


def main(*compositions: str) -> None:
    found = {}
    for composition in compositions:
        torch.compiler.reset()
        try:
            compare(*composition.split())
            found[composition] = "same"
        except Exception:
            found[composition] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
