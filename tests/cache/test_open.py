"""The cache's one call, with a detector that has no weights and images of two shapes."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from rmlr_lightning.cache.open import build, open_or_build, verify
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.transforms import ResizeShortest
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Entities, Images, Scene
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import noise_image, target_of

SIZES = [(60, 80), (80, 60), (60, 80), (60, 80), (80, 60)]  # height, width


class Mean(nn.Module):
    """One object that fills the image; its token and the memory are colours."""

    token_dim = memory_dim = 3
    stride, num_queries, objects = 32, 1, ("person",)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def fingerprint(self) -> dict:
        return {"weights": "none", "kind": "mean"}

    def forward(self, images: Images) -> Scene:
        self.calls.append(len(images.pixels))
        batch = len(images.pixels)
        memory = avg_pool2d(images.pixels, self.stride, ceil_mode=True)
        entities = Entities(
            torch.tensor([0.0, 0, 1, 1]).expand(batch, 1, 4),
            torch.full((batch, 1), 0.5),
            torch.full((batch, 1), 3),
            images.pixels.mean((2, 3))[:, None],
            torch.ones(batch, 1, dtype=torch.bool),
        )
        mask = torch.ones_like(memory[:, 0], dtype=torch.bool)
        return Scene(entities, memory, mask, images.sizes)


@pytest.fixture
def datamodule(tmp_path) -> DataModule:
    targets = []
    for index, size in enumerate(SIZES):
        noise_image(*size[::-1], 60).convert("RGB").save(tmp_path / f"{index}.jpg")
        targets.append(target_of([[10, 20, 30, 40]], [[4, 6, 20, 30]], [1], [3], size, index))
    annotations = SimpleNamespace(vocabulary=hicodet(), targets=targets)
    data = partial(HOIDataset, annotations, tmp_path, ResizeShortest(64, 128))
    return DataModule(data, data, data, 4, 4, 0)


@pytest.fixture
def options(tmp_path) -> CacheOptions:
    return CacheOptions(tmp_path / "features", dtype="fp32", views=2, shard=2, batch_size=2)


def test_cached_outputs_are_those_of_the_detector(datamodule, options, capsys):
    open_or_build(datamodule, Mean(), options, ["train", "val"], pixels=True)
    assert "2 stored views of each training image" in capsys.readouterr().out
    for index, item in enumerate(datamodule.dataset("val")):
        scene = Mean()(Images(item.pixels[None], torch.ones(1, 1, 1).bool(), item.size[None]))
        torch.testing.assert_close(item.scene.entities.tokens, scene.entities.tokens[0])
        torch.testing.assert_close(item.scene.memory, scene.memory[0])
        assert item.scene.sizes.tolist() == list(SIZES[index])


def test_what_is_there_is_not_made_again(datamodule, options):
    detector = Mean()
    open_or_build(datamodule, detector, options, ["val"])
    assert sum(detector.calls) == len(SIZES) and max(detector.calls) <= options.batch_size
    for mode in ("auto", "cached"):
        open_or_build(datamodule, detector, options, ["val"], mode)
    assert sum(detector.calls) == len(SIZES)
    assert datamodule.dataset("val")[0].pixels is None


def test_a_missing_cache_is_refused_with_the_command(datamodule, options):
    with pytest.raises(UserError, match=r"no complete cache of the val split.*`make it`"):
        open_or_build(datamodule, Mean(), options, ["val"], "cached", rebuild_command="make it")


def test_online_leaves_the_images(datamodule, options):
    open_or_build(datamodule, Mean(), options, ["val"], "online")
    assert datamodule.dataset("val")[0].scene is None
    assert not options.path.exists()


def test_build_describes_and_verify_names_damage(datamodule, options, capsys):
    build(datamodule, Mean(), options, ["train", "test"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "train, view 0",
        "train, view 1",
        "test",
    ]
    assert verify(datamodule, Mean(), options, ["train", "test"]) == []
    shard = sorted(options.path.rglob("*.safetensors"))[0]
    shard.unlink()
    damages = verify(datamodule, Mean(), options, ["train", "test"])
    assert damages and all(line == f"{shard}: missing; run rmlr-extract again" for line in damages)


def test_data_without_interactions_cannot_be_cached(options):
    module = SimpleNamespace(uncached_dataset=lambda split: [1, 2])
    with pytest.raises(UserError, match=r"only data sets of interactions .*features=online"):
        build(module, Mean(), options, ["train"])
