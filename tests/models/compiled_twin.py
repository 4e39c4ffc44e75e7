"""Prints "same" if a compiled model equals an eager one.

In a process of its own, because the shape checks of the tests cannot be traced.
"""

import sys
from functools import partial

import torch

from rmlr_lightning.models import pvic_map
from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.types import Inputs
from rmlr_lightning.vocabulary import hicodet
from tests.models.test_hoi import IRES, IRMS, REMINE, SELECTION
from tests.scenes import random_scene
from tests.tiny_detectors import tiny_detector

# traced as for a GPU, but not turned into machine code
torch.compile = partial(torch.compile, backend="aot_eager")


def main(remine: str, ire: str, irm: str) -> None:
    pvic_map.STOCHASTIC_DEPTH = 0.0  # a draw for each call
    models = []
    for compiled in (False, True):
        torch.manual_seed(1)
        parts = (tiny_detector(), SELECTION, REMINE[remine], IRES[ire], IRMS[irm])
        model = assemble(hicodet(), *parts, compiled=compiled)
        for part in model.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        models.append(model)
    for mode in (False, True):
        for seed in (7, 8):
            scene = random_scene(2, 9, seed=seed)
            expected, found = (model.train(mode)(Inputs(None, scene)) for model in models)
            logits = [prediction.logits[prediction.pairs.mask] for prediction in (found, expected)]
            torch.testing.assert_close(*logits, atol=1e-5, rtol=1e-4)
    logits[0].sum().backward()
    print("same")


if __name__ == "__main__":
    main(*sys.argv[1:])
