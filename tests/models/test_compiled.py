"""`model.compiled` and `model.bucket`: one graph without a break, equal to the eager model."""

import subprocess
import sys

import pytest
import torch

from rmlr_lightning.models.assemble import assemble
from rmlr_lightning.types import Inputs
from rmlr_lightning.vocabulary import hicodet
from tests.models.test_hoi import IRES, IRMS, REMINE, SELECTION
from tests.scenes import random_scene
from tests.tiny_detectors import tiny_detector


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [("neck", "transformer", "transformer"), ("map", "upt", "upt"), ("map", "pvic", "linear")],
)
def test_a_compiled_model_equals_the_eager_one_in_evaluation_and_training(parts):
    command = [sys.executable, "-W", "ignore", "-m", "tests.models.compiled_twin", *parts]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "same", done.stderr[-2000:]


def test_a_bucket_rounds_the_number_of_pairs_up_and_changes_no_logit():
    plain, rounded = (
        assemble(
            hicodet(),
            tiny_detector(),
            SELECTION,
            REMINE["none"],
            IRES["mlp"],
            IRMS["linear"],
            bucket=bucket,
        )
        for bucket in (1, 8)
    )
    rounded.load_state_dict(plain.state_dict())
    scene = random_scene(2, 9)
    expected, found = (model.eval()(Inputs(None, scene)) for model in (plain, rounded))
    assert found.pairs.mask.shape[1] % 8 == 0 and expected.pairs.mask.shape[1] % 8 != 0
    torch.testing.assert_close(found.logits[found.pairs.mask], expected.logits[expected.pairs.mask])
