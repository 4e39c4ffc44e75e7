"""The whole way of a user's data, each step with its own command, from DETR's released layout.

prepare -> detector stage -> extract -> train -> eval -> export -> score -> predict, at tiny size:
for HICO-DET, for V-COCO, and for data with words of its own. Values of the checkpoint are random,
so only the way is tested here, not the numbers.
"""

import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from PIL import Image, ImageDraw

from tests.detr_checkpoints import official_shapes, seeded

# Small images, few steps, one process: DETR R50 itself has its full size.
DETECTOR_STAGE = [
    "data.train.augment=null",
    "data.train.random_resize=null",
    "data.batch_size=2",
    "data.num_workers=0",
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=2",
    "trainer.log_every_n_steps=1",
    "trainer.accelerator=cpu",
    "callbacks.last=null",  # of 500 MB
]
SECOND_STAGE = [
    "model/detector=file",
    "model/remine=neck",
    "text=minilm",
    "features=cached",
    "data.batch_size=2",
    "data.num_workers=0",
    "trainer.accelerator=cpu",
]
UNDRAWN = ["callbacks.panel=null", "callbacks.curves=null"]
QUICK = ["trainer.max_epochs=1", "trainer.log_every_n_steps=1", *UNDRAWN]
SMALL = ["data.test.resize.shortest=64", "+data.test.limit=6", "+data.val.limit=3"]


class Rehearsal(NamedTuple):
    """What differs between the data sets."""

    prepare: list[str]
    detector: list[str]  # overrides of the detector stage
    model: list[str]  # and of the second stage
    detections: str  # file of rmlr-eval
    score: list[str]  # arguments of rmlr-score
    images: Path
    words: tuple[str, ...]  # a prediction names some of these objects


def run(command: str, *arguments: str | Path) -> None:
    """A console script, as a user types it."""
    program = importlib.import_module(f"rmlr_lightning.cli.{command}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"rmlr-{command}", *map(str, arguments)])
        program.main()


def hicodet(world: Path, folder: Path) -> Rehearsal:
    data = folder / "data"
    (data / "hico_20160224_det").mkdir(parents=True)
    # UPT's json, which has a vocabulary of its own: the world's .mat has fewer than 600 HOIs
    for name in ("images", "instances_train2015.json", "instances_test2015.json"):
        (data / "hico_20160224_det" / name).symlink_to(world / "hico_20160224_det" / name)
    common = [f"paths.data={data}", "data.test.image_labels=null"]
    truth = world / "hico_20160224_det" / "instances_test2015.json"
    return Rehearsal(
        ["hicodet", data],
        ["experiment=hicodet_detector", *common],
        ["experiment=hicodet_rmlr_r50", *common],
        "found.npz",
        ["hicodet", "--ground-truth", truth],
        world / "hico_20160224_det" / "images" / "test2015",
        ("person",),
    )


def vcoco(world: Path, folder: Path) -> Rehearsal:
    data = folder / "data"
    data.mkdir()
    shutil.copytree(world / "vcoco", data / "vcoco")
    (data / "mscoco2014").symlink_to(world / "mscoco2014")
    # the world has train and val; V-COCO's users train on both together
    for name in ("vcoco_trainval.json", "splits/vcoco_trainval.ids"):
        path = data / "vcoco" / name
        shutil.copy(path.with_name(path.name.replace("trainval", "train")), path)
    instances, ids = (
        data / "vcoco" / "instances_vcoco_all_2014.json",
        data / "vcoco" / "splits" / "vcoco_test.ids",
    )
    truth = ["--ground-truth", data / "vcoco" / "vcoco_test.json"]
    return Rehearsal(
        ["vcoco", data],
        ["experiment=vcoco_detector", f"paths.data={data}"],
        ["experiment=vcoco_rmlr_r50", f"paths.data={data}"],
        "found.pkl",
        ["vcoco", *truth, "--instances", instances, "--ids", ids],
        data / "mscoco2014" / "val2014",
        ("person",),
    )


def custom(world: Path, folder: Path) -> Rehearsal:
    """Workers who weld with robot arms: a blue and a grey rectangle."""
    data = folder / "welding"
    (data / "images").mkdir(parents=True)
    categories = [{"id": 5, "name": "worker"}, {"id": 9, "name": "robot arm"}]
    images, annotations, rows = [], [], ["image,human,verb,object,split"]
    for number in range(18):
        name, left = f"{number}.png", 8 + 3 * number
        worker, arm = (left, 20, left + 30, 90), (left + 20, 30, left + 60, 60)
        picture = Image.new("RGB", (128, 96), (220, 220, 210))
        draw = ImageDraw.Draw(picture)
        draw.rectangle(worker, fill=(40, 60, 200))
        draw.rectangle(arm, fill=(110, 110, 110))
        picture.save(data / "images" / name)

        images.append({"id": number, "file_name": name, "height": 96, "width": 128})
        for category, (x1, y1, x2, y2) in ((5, worker), (9, arm)):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "iscrowd": 0,
                    "area": (x2 - x1) * (y2 - y1),
                }
            )
        verb = "weld" if number % 2 else "switch off"
        split = "train" if number < 10 else "val" if number < 13 else "test"
        rows.append(f"{name},{2 * number + 1},{verb},{2 * number + 2},{split}")
    boxes = {"images": images, "annotations": annotations, "categories": categories}
    (data / "boxes.json").write_text(json.dumps(boxes))
    (data / "triplets.csv").write_text("\n".join(rows))
    return Rehearsal(
        ["custom", data],
        ["experiment=custom_detector", f"paths.custom={data}"],
        ["data=custom", f"paths.custom={data}"],
        "found.npz",
        ["hicodet", "--ground-truth", data / "rmlr" / "test.json"],
        data / "images",
        ("worker", "robot arm"),
    )


@pytest.fixture(scope="module")
def released_detr(tmp_path_factory) -> Path:
    """A file of the structure of detr-r50-e632da11.pth."""
    path = tmp_path_factory.mktemp("detr") / "detr-r50.pth"
    torch.save({"model": seeded(official_shapes(50))}, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("data", [hicodet, vcoco, custom], ids=lambda make: make.__name__)
def test_every_step_of_the_way(data, world, released_detr, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    way = data(world, tmp_path)
    if data is custom:
        run("prepare", *way.prepare)
    else:
        # a part of a published data set is not taken for the whole, but opens
        with pytest.raises(SystemExit):
            run("prepare", *way.prepare)
        assert "error: " in capsys.readouterr().err

    weights = f"model.detector.path={released_detr}"
    run("train", *way.detector, *DETECTOR_STAGE, *SMALL, weights, "hydra.run.dir=first")
    assert "AP50" in capsys.readouterr().out

    second = [*way.model, *SECOND_STAGE, *SMALL, "+data.train.limit=6"]
    second += ["model.detector.path=first/detector.safetensors"]
    run("extract", *second)
    run("train", *second, *QUICK, "hydra.run.dir=second")
    checkpoint = Path("second/checkpoints/best.ckpt")
    capsys.readouterr()

    # the folders are as in training
    run("evaluate", f"checkpoint={checkpoint}", f"export={way.detections}", "out=eval.json")
    evaluated = json.loads(Path("eval.json").read_text())
    run("export", checkpoint, "--format", "folder", "--out", "exported")
    capsys.readouterr()
    run("score", *way.score, "--detections", way.detections, "--json")
    scored = json.loads(capsys.readouterr().out)
    assert evaluated and scored

    images = sorted(way.images.iterdir())[:2]
    run("predict", *images, "--checkpoint", checkpoint, "--out", "pictures")
    run("predict", *images, "--checkpoint", "exported", "--out", "again")
    for image in images:
        found = json.loads(Path(f"pictures/{image.stem}.json").read_text())
        assert found == json.loads(Path(f"again/{image.stem}.json").read_text())
        names = {triplet["object"] for triplet in found["triplets"]}
        assert not names or "robot arm" not in way.words or names <= set(way.words)
