"""The exported head gives the model's logits, whatever the padding and the batch size."""

import json
import shlex
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.export.head import Capacity, ExportableHead, full_capacity, head_inputs
from rmlr_lightning.export.program import describe, example_inputs
from rmlr_lightning.types import Inputs
from rmlr_lightning.vocabulary import hicodet
from tests.models.test_hoi import MODELS, model_of
from tests.page_commands import from_page
from tests.scenes import random_images, random_scene
from tests.untrained import untrained_checkpoint

RUNTIME = all(find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime"))


def prediction_of(model, images):
    """Three images; the last has no entity, so that it has no pair."""
    scene = random_scene(3, 14, seed=7)
    mask = scene.entities.mask.clone()
    mask[-1] = False
    scene = scene._replace(entities=scene.entities._replace(mask=mask))
    with torch.inference_mode():
        return model(Inputs(images, scene))


@pytest.mark.parametrize("parts", MODELS)
def test_a_padded_head_gives_the_logits_and_scores_of_the_model(parts):
    model, images = model_of(*parts), random_images(3)
    prediction = prediction_of(model, images)
    capacity = full_capacity(model)
    inputs = head_inputs(model, prediction.scene, prediction.pairs, capacity, images)
    logits, scores = ExportableHead(model)(*inputs.values())

    real = prediction.pairs.mask
    count = real.shape[1]
    torch.testing.assert_close(logits[:, :count][real], prediction.logits[real])
    assert not logits[:, :count][~real].any() and not logits[:, count:].any()
    for image, found in enumerate(model.detect(prediction)):
        positive = scores[image][scores[image] > 0].sort(descending=True).values
        torch.testing.assert_close(positive, found.scores)


def test_the_full_capacity_holds_all_that_selection_can_give():
    model = model_of("none", "mlp", "linear")  # at most 6 humans and 6 objects, 12 queries
    assert full_capacity(model) == Capacity(entities=12, pairs=6 * 11)


def test_more_pairs_than_the_capacity_are_refused():
    model = model_of("none", "mlp", "linear")
    prediction = prediction_of(model, random_images(3))
    with pytest.raises(UserError, match=r"\d+ pairs, but the exported head has a capacity of 2"):
        head_inputs(model, prediction.scene, prediction.pairs, Capacity(12, 2))


def test_the_description_names_every_tensor_with_its_shape_and_the_vocabulary():
    model, capacity = model_of("backbone", "transformer", "linear"), Capacity(4, 6)
    inputs = example_inputs(model, capacity, canvas=(48, 64))
    found = describe(model, hicodet(), inputs, capacity)
    shapes = {one["name"]: one["shape"] for one in found["inputs"]}
    assert list(shapes) == list(inputs)
    assert shapes["tokens"] == ["batch", 4, 16]
    assert shapes["memory"] == ["batch", 16, 6, 8]
    assert shapes["pixels"] == ["batch", 3, 48, 64]
    assert [one["shape"] for one in found["outputs"]] == [["batch", 6, 117]] * 2
    assert found["vocabulary"]["verbs"] == list(hicodet().verbs)
    json.dumps(found)


# the commands export the rest: no map, a pair MLP, and a linear classifier
COMPOSITIONS = ["neck transformer transformer", "c5 upt upt", "second pvic text"]


@pytest.fixture(scope="module")
def parity(tmp_path_factory) -> dict[str, dict[str, float]]:
    """Differences by composition and format; one process does all, because its start is long."""
    folder = tmp_path_factory.mktemp("heads")
    small = ("model/remine=none", "model/ire=mlp", "model/irm=linear")
    untrained_checkpoint(folder / "outputs" / "rmlr", *small)
    typed = [
        from_page("rmlr-export outputs/rmlr/checkpoints/best.ckpt --format onnx"),
        from_page("rmlr-export outputs/rmlr/checkpoints/best.ckpt --format torch"),
    ]
    commands = map(shlex.join, typed)
    command = [sys.executable, "-m", "tests.export.parity", str(folder), *COMPOSITIONS, *commands]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    written = {path.name for path in folder.glob("head.*")}
    assert written == {"head.onnx", "head.onnx.json", "head.pt2", "head.pt2.json"}
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(not RUNTIME, reason="onnx, onnxscript or onnxruntime is not installed")
@pytest.mark.parametrize("composition", [*COMPOSITIONS, "as typed"])
def test_onnxruntime_and_torch_export_give_the_logits_of_the_model(composition, parity):
    """For one, three and five images, though the graph was traced with two."""
    assert max(parity[composition].values()) < 1e-5, parity[composition]
