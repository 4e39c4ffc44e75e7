"""NaN and infinite weights, features and outputs are errors that name a file or an image."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from pytorch_lightning import LightningDataModule, Trainer
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader

from rmlr_lightning import HOIDetector
from rmlr_lightning.cache.open import build
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cli import predict
from rmlr_lightning.detectors.open import open_detector
from rmlr_lightning.detectors.weights import save_network
from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.models.checkpoint import load_checkpoint
from rmlr_lightning.predictions import predict_files
from tests.cache import test_open
from tests.scenes import noise_image, target_of
from tests.tasks.tiny_task import QUIET, random_batch, tiny_task
from tests.tiny_detectors import tiny_detector
from tests.untrained import untrained_checkpoint

pytestmark = pytest.mark.fault
NAN = float("nan")
datamodule = test_open.datamodule  # a fixture


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return untrained_checkpoint(tmp_path_factory.mktemp("run"))


def one_line(capsys, arguments) -> str:
    with pytest.raises(SystemExit) as caught:
        predict.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error
    return error


def test_a_checkpoint_with_nan_weights_is_refused_by_all_that_load_it(checkpoint, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["model.irm.classify.bias"][3] = NAN
    torch.save(content, tmp_path / "nan.ckpt")
    with pytest.raises(UserError, match=r"nan\.ckpt: 1 of \d+ weights .* model\.irm\.classify"):
        load_checkpoint(tmp_path / "nan.ckpt")
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    command = [tmp_path / "a.jpg", "--checkpoint", tmp_path / "nan.ckpt", "--out", tmp_path / "o"]
    assert "nan.ckpt: 1 of" in one_line(capsys, command)


def test_a_saved_model_with_nan_weights_is_refused(checkpoint, tmp_path):
    HOIDetector.from_checkpoint(checkpoint).save_pretrained(tmp_path / "m")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    weights["irm.classify.bias"][0] = NAN
    save_file(weights, tmp_path / "m" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"model\.safetensors: 1 of \d+ weights"):
        HOIDetector.from_pretrained(tmp_path / "m")


@pytest.mark.parametrize("layout", ["own file", "folder"])
def test_a_detector_with_infinite_weights_is_refused(layout, tmp_path):
    network = tiny_detector("detr").network
    network.bbox_predictor.layers[0].weight[0, 0] = torch.inf
    path = tmp_path / "d.safetensors"
    if layout == "folder":
        path = tmp_path / "folder"
        network.save_pretrained(path)
    else:
        about = {"objects": ["person"] * 4, "mean": [0.0] * 3, "std": [1.0] * 3}
        save_network(network, path, about, torch.float32)
    with pytest.raises(UserError, match=r"1 of \d+ weights are NaN or infinite, such as bbox"):
        open_detector(path)


class Broken(test_open.Mean):
    """Gives NaN for one image, and numbers beyond float16 for another."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images):
        scene = super().forward(images)
        scene.memory[-1] *= self.factor
        return scene


@pytest.mark.parametrize(
    ("factor", "dtype", "message"),
    [
        (NAN, "fp32", "the detector's outputs are NaN or infinite"),
        (1e6, "fp16", "features.dtype=fp16: the detector's outputs are too large"),
    ],
)
def test_features_that_are_not_finite_are_never_stored(
    factor, dtype, message, datamodule, tmp_path
):
    options = CacheOptions(tmp_path / "features", dtype, num_workers=0, batch_size=5)
    with pytest.raises(UserError, match=r"\.jpg: ") as caught:
        build(datamodule, Broken(factor), options, ["val"])
    assert message in str(caught.value)
    assert not list((tmp_path / "features").rglob("scenes_*.safetensors"))


def test_an_image_for_which_the_model_gives_nan_is_named(checkpoint, tmp_path, capsys, monkeypatch):
    detector = HOIDetector.from_checkpoint(checkpoint)
    detector.model.irm.classify.bias.data[:] = NAN
    monkeypatch.setattr(predict_files, "load_detector", lambda *_: detector)
    noise_image(448, 320, 60).convert("RGB").save(tmp_path / "a.jpg")
    error = one_line(capsys, [tmp_path / "a.jpg", "--out", tmp_path / "out"])
    assert f"{tmp_path}/a.jpg: the model's logits for this image are NaN or infinite" in error


class Loaded(LightningDataModule):
    """One batch of each split."""

    def __init__(self, batch, dataset) -> None:
        super().__init__()
        self.batch, self.dataset = batch, lambda split: dataset

    def val_dataloader(self):
        return DataLoader([self.batch], batch_size=None)

    test_dataloader = val_dataloader


def evaluated(split: str, batch, task):
    """A task evaluated on one batch, as by rmlr-eval and after each epoch of rmlr-train."""
    targets = {i: target_of([], [], [], [], image_id=i) for i in batch.image_ids}
    dataset = SimpleNamespace(target=targets.__getitem__)
    trainer = Trainer(**QUIET)
    run = trainer.test if split == "test" else trainer.validate
    return run(task, Loaded(batch, dataset), verbose=False)


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("part", ["scores", "boxes", "tokens", "memory"])
def test_cached_features_with_nan_end_the_evaluation_with_the_names(part, split):
    batch = random_batch(4)
    scene = batch.inputs.scene
    broken = scene.memory if part == "memory" else getattr(scene.entities, part)
    broken[1].view(-1)[0] = NAN
    broken[3].view(-1)[0] = NAN
    task = tiny_task(metrics={"hicodet": HICODetMeanAP}).eval()
    with pytest.raises(UserError) as caught:
        evaluated(split, batch, task)
    names = sorted(f"{batch.image_ids[row]}.jpg" for row in (1, 3))
    assert str(caught.value).startswith(f"{names[0]} and 1 more, {split} split: the detector's")


def test_nan_of_the_head_is_told_apart_from_the_detectors():
    task = tiny_task(metrics={"hicodet": HICODetMeanAP}).eval()
    task.model.irm.classify.weight.data[5] = torch.inf
    with pytest.raises(UserError, match=r"\.jpg.*, test split: the head's logits"):
        evaluated("test", random_batch(3), task)


def test_finite_values_are_evaluated():
    task = tiny_task(metrics={"hicodet": HICODetMeanAP}).eval()
    (values,) = evaluated("test", random_batch(3), task)
    assert values["test/map_full"] == 0
    assert values["test/selection_people_detected"] > 0
