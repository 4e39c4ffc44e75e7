"""rmlr-extract, and runs that read its cache, as a user runs them: small data, shipped detector."""

import json
import re
import sys
from pathlib import Path

import pytest
import timm
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from rmlr_lightning.cache import build
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.cli import evaluate, extract, train
from rmlr_lightning.data.collate import collate_images
from rmlr_lightning.data.views import view_of
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.features import open_features
from rmlr_lightning.runs.load_task import new_task
from rmlr_lightning.types import Inputs

WORLD = [
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
    "data.prepare.config.seed=3",
]
QUICK = [*WORLD, "data.num_workers=0", "data.batch_size=12", "loss=focal", "report=false"]
ONE_EPOCH = ["trainer.max_epochs=1", "trainer.log_every_n_steps=1"]


def call(program, monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    program.main()


@pytest.fixture(scope="module")
def cache(world, tmp_path_factory) -> Path:
    """A cache of all splits in float32, with a flipped view of the training images."""
    root = tmp_path_factory.mktemp("scenes")
    out = [f"paths.data={world.parent}", f"hydra.run.dir={root}/out", f"features.path={root}"]
    with pytest.MonkeyPatch.context() as patch:
        call(
            extract,
            patch,
            *out,
            *WORLD,
            "features.dtype=fp32",
            "features.views=2",
            "features.shard=16",
        )
    return root


def composed(world, cache, tmp_path, *more: str):
    options = [
        f"features.path={cache}",
        "features.dtype=fp32",
        "features.views=2",
        "features.shard=16",
    ]
    overrides = [
        f"paths.data={world.parent}",
        f"paths.output={tmp_path}",
        "features=cached",
        *options,
        *QUICK,
        *more,
    ]
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("train", overrides)


def both_ways(cfg):
    """The task, and batches of the validation images, cached and online."""
    datamodule = instantiate(cfg.data)
    datamodule.prepare_data()
    torch.manual_seed(0)
    task = new_task(cfg, datamodule).eval()
    open_features(cfg.features, datamodule, task.model, ["val"])
    cached = list(datamodule.val_dataloader())
    datamodule.wrap_datasets(None)
    return task, cached, list(datamodule.val_dataloader())


def logits(task, batches) -> list[torch.Tensor]:
    """Of the real pairs of every image."""
    found = []
    with torch.inference_mode():
        for batch in batches:
            prediction = task(batch.inputs)
            found += [
                values[real]
                for values, real in zip(prediction.logits, prediction.pairs.mask, strict=True)
            ]
    return found


@pytest.mark.parametrize("remine", ["neck", "backbone"])
def test_cached_scenes_give_the_logits_of_images(remine, world, cache, tmp_path):
    task, cached, online = both_ways(composed(world, cache, tmp_path, f"model/remine={remine}"))
    assert all((batch.inputs.images is None) == (remine == "neck") for batch in cached)
    for found, wanted in zip(logits(task, cached), logits(task, online), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


SMALL = {"stem_width": 8, "channels": [8, 8, 16, 16]}
FROZEN = [
    "model/remine=small_backbone",
    "model.remine.frozen=true",
    "model.remine.stem_width=8",
    "model.remine.channels=[8,8,16,16]",
]


@pytest.mark.parametrize(
    "remine",
    [
        ["model/remine=c5"],
        ["model.remine.maps=[memory,c4]", "model.remine.dim=16"],
        FROZEN,
    ],
    ids=["c5", "neck", "frozen network"],
)
def test_cached_maps_give_the_logits_of_images_and_need_no_pixels(
    remine, world, tmp_path, monkeypatch, capsys
):
    if remine is FROZEN:
        state = timm.create_model("resnet10t", num_classes=0, **SMALL).state_dict()
        torch.save(state, tmp_path / "resnet.pth")
        remine = [*FROZEN, f"model.remine.weights={tmp_path}/resnet.pth"]
    cfg = composed(world, tmp_path, tmp_path, *remine)
    out = [f"paths.data={world.parent}", f"hydra.run.dir={tmp_path}/out", "splits=[val]"]
    options = [f"features.path={tmp_path}", "features.dtype=fp32", "features.shard=16"]
    call(extract, monkeypatch, *out, *WORLD, *options, *remine)
    estimate, written = re.findall(r"([\d.]+) MB", capsys.readouterr().out)
    assert float(estimate) == pytest.approx(float(written), abs=1)

    task, cached, online = both_ways(cfg)
    assert set(cached[0].inputs.scene.maps) == set(task.model.detector.maps) != set()
    assert cached[0].inputs.images is None
    for found, wanted in zip(logits(task, cached), logits(task, online), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_true_boxes_beside_cached_scenes_give_the_logits_of_images(world, cache, tmp_path):
    cfg = composed(world, cache, tmp_path, "model/remine=neck", "experiment=true_boxes")
    task, cached, online = both_ways(cfg)
    for found, wanted in zip(logits(task, cached), logits(task, online), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_a_flipped_view_holds_the_detector_outputs_of_the_flipped_image(world, cache, tmp_path):
    cfg = composed(world, cache, tmp_path, "model/remine=neck")
    datamodule = instantiate(cfg.data)
    task = new_task(cfg, datamodule).eval()
    open_features(cfg.features, datamodule, task.model, ["train"])
    data = datamodule.dataset("train")
    store = data.stores[1]
    pixels, size = data.uncached.pixels(0, store.view)
    unflipped, _ = data.uncached.pixels(0, view_of(0))
    assert torch.equal(pixels, unflipped.flip(2))
    with torch.inference_mode():
        online = task.model.detector(collate_images([pixels], [size]))
    scene = store.scene(0)
    torch.testing.assert_close(scene.entities.boxes, online.entities.boxes[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scene.memory, online.memory[0], atol=1e-4, rtol=1e-4)


def test_extracting_again_does_nothing_and_verifying_finds_no_damage(
    cache, world, monkeypatch, capsys
):
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.safetensors")}
    out = [f"paths.data={world.parent}", f"hydra.run.dir={cache}/out", f"features.path={cache}"]
    options = [*WORLD, "features.dtype=fp32", "features.views=2", "features.shard=16"]
    call(extract, monkeypatch, *out, *options)
    call(extract, monkeypatch, *out, *options, "verify=true")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.safetensors")} == before
    assert "verified" in capsys.readouterr().out


def one_line(capsys, message: str) -> str:
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error
    return error


def test_verify_names_file_and_image(world, tmp_path, monkeypatch, capsys):
    arguments = [
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}",
        f"features.path={tmp_path}/s",
        *WORLD,
    ]
    arguments += ["splits=[val]", "features.memory=none"]
    call(extract, monkeypatch, *arguments)
    (path,) = (tmp_path / "s").rglob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(SystemExit) as caught:
        call(extract, monkeypatch, *arguments, "verify=true")
    assert caught.value.code == 2
    error = one_line(capsys, str(path))
    assert "delete this file and run rmlr-extract again" in error


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("features.dtype=fp8", "features.dtype=fp8: choose one of"),
        ("features.memory=small", "features.memory=small: choose full"),
        ("features.views=0", "features.views=0"),
        ("splits=[dev]", "choose from train, val, test"),
        ("features=online", "features=online stores nothing"),
        ("experiment=detector", "no frozen detector"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(
    override, message, world, tmp_path, monkeypatch, capsys
):
    arguments = [
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}/out",
        f"features.path={tmp_path}/s",
        *WORLD,
    ]
    if override == "features=online":
        arguments.remove(f"features.path={tmp_path}/s")
    with pytest.raises(SystemExit) as caught:
        call(extract, monkeypatch, *arguments, override)
    assert caught.value.code == 2
    one_line(capsys, message)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_too_little_space_is_found_before_anything_is_written(world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        build.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000})
    )
    arguments = [
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}/out",
        f"features.path={tmp_path}/s",
        *WORLD,
    ]
    with pytest.raises(SystemExit):
        call(extract, monkeypatch, *arguments)
    one_line(capsys, "but only 1 MB are free")
    assert not list(tmp_path.rglob("*.safetensors*"))


@pytest.mark.parametrize("size", [(480, 640), (0, 0)])
def test_space_is_estimated_from_canvases(size, world, cache, tmp_path):
    cfg = composed(world, cache, tmp_path)
    datamodule = instantiate(cfg.data)
    data = datamodule.uncached_dataset("val")
    data.targets = [target._replace(size=torch.tensor(size)) for target in data.targets]
    detector, options = instantiate(cfg.model.detector), CacheOptions(path=tmp_path)
    names = [target.file_name for target in data.targets]
    job = build.StoreJob("val", data, SceneStore({}, options, view_of(0), names))
    images = len(data.targets)
    per_image = 20 * 28 * (128 * 2 + 1) + 30 * (21 + 128 * 2)
    estimate = build.missing_bytes([job], detector, options)
    assert images * per_image < estimate < images * (per_image + 1000)


@pytest.mark.slow
def test_a_missing_cache_is_refused_with_the_command_that_makes_it(
    world, tmp_path, monkeypatch, capsys
):
    mine = [
        f"paths.data={world.parent}",
        *QUICK,
        f"features.path={tmp_path}/s",
        "features.dtype=bf16",
    ]
    with pytest.raises(SystemExit) as caught:
        call(
            train,
            monkeypatch,
            "features=cached",
            f"hydra.run.dir={tmp_path}",
            "trainer.max_epochs=1",
            *mine,
        )
    assert caught.value.code == 2
    error = one_line(capsys, "no complete cache of the train split")
    command = error.split("`")[1].split()
    assert command[0] == "rmlr-extract" and not any(
        part.startswith(("trainer", "hydra", "loss")) for part in command
    )
    call(extract, monkeypatch, *command[1:], f"hydra.run.dir={tmp_path}")
    call(
        train,
        monkeypatch,
        "features=cached",
        f"hydra.run.dir={tmp_path}",
        "debug=fast",
        "model/remine=neck",
        *mine,
    )


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory) -> Path:
    """A run of one epoch that made its own cache."""
    out = tmp_path_factory.mktemp("run")
    arguments = [f"paths.data={world.parent}", f"hydra.run.dir={out}", *QUICK, "model/remine=neck"]
    with pytest.MonkeyPatch.context() as patch:
        call(train, patch, *arguments, "features=auto", f"features.path={out}/features", *ONE_EPOCH)
    return out


def metrics_of(trained, world, tmp_path, monkeypatch, *more: str) -> dict:
    call(
        evaluate,
        monkeypatch,
        f"checkpoint={trained}/checkpoints/best.ckpt",
        f"paths.data={world.parent}",
        f"out={tmp_path}/metrics.json",
        "overwrite=true",
        f"hydra.run.dir={tmp_path}",
        *more,
    )
    return json.loads((tmp_path / "metrics.json").read_text())


@pytest.mark.slow
def test_auto_makes_the_cache_trains_and_draws_panels(trained):
    assert list(trained.glob("features/*/manifest.json"))
    assert (trained / "panels" / "test.png").stat().st_size > 0


@pytest.mark.slow
def test_evaluation_reads_the_features_of_training(trained, world, tmp_path, monkeypatch):
    logged = json.loads((trained / "metrics.json").read_text())
    assert (
        metrics_of(trained, world, tmp_path, monkeypatch)["test/map_full"]
        == logged["test/map_full"]
    )


@pytest.mark.slow
def test_online_evaluation_is_close_to_half_precision_features(
    trained, world, tmp_path, monkeypatch
):
    logged = json.loads((trained / "metrics.json").read_text())
    found = metrics_of(trained, world, tmp_path, monkeypatch, "features=online")
    assert found["test/map_full"] == pytest.approx(logged["test/map_full"], abs=0.01)


@pytest.mark.slow
def test_a_checkpoint_without_its_cache_names_the_command_that_makes_it(
    trained, world, tmp_path, monkeypatch, capsys
):
    moved = f"features.path={tmp_path}/elsewhere"
    with pytest.raises(SystemExit):
        metrics_of(trained, world, tmp_path, monkeypatch, "features=cached", moved)
    command = one_line(capsys, "no complete cache of the test split").split("`")[1].split()
    call(extract, monkeypatch, *command[1:], f"hydra.run.dir={tmp_path}")
    metrics_of(trained, world, tmp_path, monkeypatch, "features=cached", moved)


def test_a_detector_cannot_be_trained_from_cached_features(world, tmp_path):
    cfg = composed(world, tmp_path, tmp_path)
    with pytest.raises(UserError, match="no frozen detector"):
        open_features(cfg.features, None, None, ["train"])


@pytest.mark.parametrize("key", ["mode=always", "pixels=maybe", "device=abacus"])
def test_a_wrong_option_of_opening_is_named(key, world, cache, tmp_path):
    cfg = composed(world, cache, tmp_path, f"features.{key}")
    datamodule = instantiate(cfg.data)
    model = new_task(cfg, datamodule).model
    with pytest.raises(UserError, match=f"features.{key.partition('=')[0]}"):
        open_features(cfg.features, datamodule, model, ["val"])


def test_a_split_that_was_not_opened_cannot_be_read(world, cache, tmp_path):
    cfg = composed(world, cache, tmp_path)
    datamodule = instantiate(cfg.data)
    open_features(cfg.features, datamodule, new_task(cfg, datamodule).model, ["val"])
    with pytest.raises(UserError, match="the test split is not among val"):
        datamodule.test_dataloader()


def test_extract_takes_the_groups_of_train():
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        ours, theirs = compose("extract"), compose("train")
    assert set(theirs) - set(ours) <= {"resume", "test", "report", "export"}


def test_inputs_with_a_scene_need_no_images(world, cache, tmp_path):
    task, cached, _ = both_ways(composed(world, cache, tmp_path, "model/remine=none"))
    assert isinstance(cached[0].inputs, Inputs) and cached[0].inputs.images is None
    assert task(cached[0].inputs).logits.shape[-1] == len(task.vocabulary.verbs)
