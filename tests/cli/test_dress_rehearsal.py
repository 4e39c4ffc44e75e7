"""The whole way of a user's data, each step with the command of its page, from a released DETR.

prepare -> detector stage -> extract -> train -> eval -> export -> score -> predict, at tiny size:
for HICO-DET (docs/HICODET.md), for V-COCO, and for data with words of its own (docs/DATA.md).
Values of the checkpoint are random,
so only the way is tested here, not the numbers.
"""

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from PIL import Image, ImageDraw

from tests.detr_checkpoints import official_shapes, seeded
from tests.page_commands import CONFIGS, PARSERS, from_page

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
    "report=false",
]
SECOND_STAGE = [
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
    """The commands of a data set's way, and what they are about."""

    prepare: list[list[str]]
    detector: list[str]
    extract: list[str]
    train: list[str]
    evaluate: list[str]
    score: list[str]
    images: Path
    words: tuple[str, ...] = ("person",)  # a prediction names some of these objects
    options: tuple[str, ...] = ()  # of both stages
    others: tuple[list[str], ...] = ()  # that train the second stage otherwise


def run(words: list, *more: str) -> None:
    """A console script, as a user types it."""
    name, *arguments = map(str, [*words, *more])
    program = importlib.import_module(f"rmlr_lightning.cli.{(CONFIGS | PARSERS)[name]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        program.main()


def in_data(words: list[str]) -> list[str]:
    return [word.replace("FOLDER", "data") for word in words]


def hicodet(world: Path, folder: Path) -> Rehearsal:
    data = folder / "data"
    (data / "hico_20160224_det").mkdir(parents=True)
    # UPT's json, which has a vocabulary of its own: the world's .mat has fewer than 600 HOIs
    for name in ("images", "instances_train2015.json", "instances_test2015.json"):
        (data / "hico_20160224_det" / name).symlink_to(world / "hico_20160224_det" / name)
    truth = world / "hico_20160224_det" / "instances_test2015.json"
    return Rehearsal(
        [
            from_page("rmlr-prepare hicodet data"),
            in_data(from_page("rmlr-prepare hicodet FOLDER")),
            in_data(from_page("rmlr-prepare hicodet FOLDER --decode")),
        ],
        in_data(from_page("rmlr-train experiment=hicodet_detector")),
        in_data(from_page("rmlr-extract experiment=hicodet_rmlr_r50")),
        in_data(from_page("rmlr-train experiment=hicodet_rmlr_r50 paths.data=FOLDER model")),
        from_page("rmlr-eval checkpoint=outputs/hicodet_rmlr_r50"),
        ["rmlr-score", "hicodet", "--ground-truth", str(truth), "--detections", "found.npz"],
        world / "hico_20160224_det" / "images" / "test2015",
        options=("data.test.image_labels=null",),
        others=(
            in_data(from_page("rmlr-train experiment=hicodet_rmlr_r50 paths.data=FOLDER trainer")),
            in_data(from_page("rmlr-train experiment=hicodet_rmlr_r50 unseen=rare_first")),
        ),
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
    truth = ["--ground-truth", str(data / "vcoco" / "vcoco_test.json")]
    truth += ["--instances", str(instances), "--ids", str(ids)]
    second = ["experiment=vcoco_rmlr_r50", "paths.data=data"]
    second += ["model.detector.path=outputs/vcoco_detector/detector.safetensors"]
    return Rehearsal(
        [from_page("rmlr-prepare vcoco data")],
        [
            *("rmlr-train", "experiment=vcoco_detector", "paths.data=data"),
            "model.detector.path=detr-r50.pth",
        ],
        ["rmlr-extract", *second],
        ["rmlr-train", *second],
        [
            "rmlr-eval",
            "checkpoint=outputs/vcoco_rmlr_r50/checkpoints/best.ckpt",
            "export=found.pkl",
        ],
        ["rmlr-score", "vcoco", *truth, "--detections", "found.pkl"],
        data / "mscoco2014" / "val2014",
    )


def custom(world: Path, folder: Path) -> Rehearsal:
    """Workers who weld with robot arms: a blue and a grey rectangle."""
    data = folder / "data" / "welding"
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
    second = from_page("rmlr-train data=custom")
    return Rehearsal(
        [from_page("rmlr-prepare custom")],
        from_page("rmlr-train experiment=custom_detector"),
        ["rmlr-extract", *second[1:]],
        second,
        from_page("rmlr-eval checkpoint=outputs/rmlr/checkpoints/best.ckpt export=found.npz"),
        from_page("rmlr-score hicodet --detections found.npz --ground-truth data/welding"),
        data / "images",
        ("worker", "robot arm"),
    )


@pytest.fixture(scope="module")
def released_detr(tmp_path_factory) -> Path:
    """A file of the structure of detr-r50-e632da11.pth."""
    path = tmp_path_factory.mktemp("detr") / "detr-r50.pth"
    torch.save({"model": seeded(official_shapes(50))}, path)
    return path


@contextmanager
def one_process(monkeypatch) -> Iterator[None]:
    """What trainer=ddp has started ends with the block."""
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.setenv(name, "")  # so that it is removed again
        monkeypatch.delenv(name)
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("data", [hicodet, vcoco, custom], ids=lambda make: make.__name__)
def test_every_step_of_the_way(data, world, released_detr, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("detr-r50.pth", "detr-r50-e632da11.pth"):
        Path(name).symlink_to(released_detr)
    way = data(world, tmp_path)
    for words in way.prepare:
        if data is custom:
            run(words)
        else:
            # a part of a published data set is not taken for the whole, but opens
            with pytest.raises(SystemExit):
                run(words)
            assert "error: " in capsys.readouterr().err

    with one_process(monkeypatch):
        run(way.detector, "trainer=ddp", *DETECTOR_STAGE, *SMALL, *way.options)
    assert "AP50" in capsys.readouterr().out

    second = [*SECOND_STAGE, *SMALL, *way.options, "+data.train.limit=6"]
    run(way.extract, *second)
    run(way.train, *second, *QUICK)
    for words in way.others:
        with one_process(monkeypatch):
            run(words, *second, *QUICK, "test=false", "report=false")
    checkpoint = next(word for word in way.evaluate if word.startswith("checkpoint="))
    checkpoint = checkpoint.removeprefix("checkpoint=")
    capsys.readouterr()

    # the folders are as in training
    run(way.evaluate, "out=eval.json")
    evaluated = json.loads(Path("eval.json").read_text())
    run(["rmlr-export", checkpoint, "--format", "folder", "--out", "exported"])
    capsys.readouterr()
    run(way.score, "--json")
    scored = json.loads(capsys.readouterr().out)
    assert evaluated and scored

    images = sorted(way.images.iterdir())[:2]
    run(["rmlr-predict", *images, "--checkpoint", checkpoint, "--out", "pictures"])
    run(["rmlr-predict", *images, "--checkpoint", "exported", "--out", "again"])
    for image in images:
        found = json.loads(Path(f"pictures/{image.stem}.json").read_text())
        assert found == json.loads(Path(f"again/{image.stem}.json").read_text())
        names = {triplet["object"] for triplet in found["triplets"]}
        assert not names or "robot arm" not in way.words or names <= set(way.words)
