"""The command blocks of the pages run from top to bottom, as a reader types them.

At tiny size: options that make a training short are added. What needs other files than those of the
fixture `desk`, or another machine, runs in a test that takes it by `from_page`.
"""

import importlib
import io
import json
import pickle
import re
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.annotations.make_hicodet import make_hicodet
from tests.page_commands import (
    CONFIGS,
    PARSERS,
    ROOT,
    TEXTS,
    block_commands,
    finished,
    from_page,
    make_command,
    taken,
    words_of,
)
from tests.text.conftest import write_bert
from tests.text.hub_cache import write_hub_cache

TINY = [
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
    "data.prepare.config.seed=3",
    "data.num_workers=0",
]
SHORT = ["trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"]
SHORT += ["trainer.limit_train_batches=2", "trainer.log_every_n_steps=1"]
UNDRAWN = ["callbacks.panel=null", "callbacks.curves=null"]
MADE = (["make", "eval"], ["make", "ablation"])  # what starts a program of ours

TAKEN = taken()


def commands_here() -> dict[Path, list[list[str]]]:
    """The commands of each page that run here. What make does is done once for all pages."""
    found: dict[Path, list[list[str]]] = {}
    made = set()
    for page, text in TEXTS.items():
        found[page] = []
        for words in map(words_of, block_commands(text)):
            ours = words[0] in {**CONFIGS, **PARSERS} or words[:2] in MADE
            if ours and tuple(words) not in TAKEN and tuple(words) not in made:
                found[page].append(words)
            if words[0] == "make":
                made.add(tuple(words))
    return found


HERE = commands_here()


def follow(words: list[str], place: Path) -> None:
    """Run a command in the folder that is the working directory."""
    program, *arguments = words
    if program == "make":
        done = finished(make_command(words, *made_small(arguments)), place)
        assert done.returncode == 0, done.stderr
    else:
        run(CONFIGS.get(program, PARSERS.get(program)), arguments + small(words))


def run(program: str, arguments: list[str]) -> None:
    module = importlib.import_module(f"rmlr_lightning.cli.{program}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"rmlr-{program}", *arguments])
        try:
            module.main()
        except SystemExit as ended:
            assert not ended.code, (program, arguments)


def small(words: list[str]) -> list[str]:
    """Options that keep a command short."""
    program, *arguments = words
    of_a_run = any(word.startswith(("checkpoint=", "--from-run")) for word in arguments)
    if program == "rmlr-extract" and not of_a_run:
        return TINY
    if program != "rmlr-train" or of_a_run:
        return []
    if "-m" in arguments:
        return ["experiment=visual,rmlr", "seed=0", *TINY, *SHORT, *UNDRAWN]
    for word in arguments:
        if word.startswith("+sweep="):
            return sweep_small(word.removeprefix("+sweep="))
    return [*TINY, *SHORT, "callbacks.panel=null", "test=false", "report=false"]


def sweep_small(name: str) -> list[str]:
    """One run of a sweep: of the row that its report compares with."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    row = re.search(rf"^REPORT_{name} := --baseline (\w+)$", makefile, re.MULTILINE)[1]
    return [f"experiment={row}", "seed=0", *TINY, *SHORT, *UNDRAWN]


def made_small(arguments: list[str]) -> list[str]:
    """The same for make, and few processes: two where the command asks for more than usual."""
    given = dict(word.split("=", 1) for word in arguments[1:])
    if arguments[0] != "ablation":
        return []
    options = " ".join(sweep_small(given.get("SWEEP", "ablation")))
    return [f"ARGS={options}", "JOBS=2" if "JOBS" in given else "JOBS=1"]


def with_files(words: list[str]) -> list[str]:
    """With the names of files that are here."""
    words = [word.replace("=FILE", "=outputs/rmlr/checkpoints/best.ckpt") for word in words]
    # found.npz is of HICO-DET, the model of the benchmark
    return [word.replace("export=found", "export=exported") for word in words]


@pytest.fixture(scope="module")
def desk(world, tmp_path_factory) -> Path:
    """A folder with the files that the pages speak of, and a finished run."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "data").mkdir()
    (folder / "data" / "synthetic").symlink_to(world)
    image = min((world / "hico_20160224_det" / "images" / "test2015").glob("*.jpg"))
    Image.open(image).save(folder / "image.jpg")

    (folder / "images").symlink_to(image.parent)
    frame = cv2.imread(str(image))
    size = frame.shape[1::-1]
    video = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 5, size)
    for _ in range(11):
        video.write(frame)
    video.release()
    rows = [
        {"image_id": image.name, "category_id": category, "bbox": [10, 10, 90, 90], "score": 0.9}
        for category in (1, 4)
    ]
    (folder / "found.json").write_text(json.dumps(rows))

    write_bert(folder / "path" / "to" / "folder")
    write_hub_cache(folder / "hub")
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "docs" / "results", folder / "docs" / "results")
    make_hicodet(folder)
    first = json.loads((folder / "instances_test2015.json").read_text())["filenames"][0]
    boxes = np.array([[1.0, 1, 50, 50]])
    columns = {"objects": [1], "verbs": [0], "scores": [0.5], "image": [0]}
    for name in ("found", "a", "b", "old", "new"):
        np.savez(
            folder / f"{name}.npz", file_names=[first], boxes_h=boxes, boxes_o=boxes, **columns
        )
    for name in ("vcoco_test.json", "splits/vcoco_test.ids"):
        shutil.copy(world / "vcoco" / name, folder)
    shutil.copy(
        world / "vcoco" / "instances_vcoco_all_2014.json", folder / "instances_val2014.json"
    )
    image_id = int((folder / "vcoco_test.ids").read_text().split()[0])
    person = {"image_id": image_id, "person_box": [10, 10, 49, 49], "ride_agent": 0.5}
    (folder / "found.pkl").write_bytes(pickle.dumps([person], protocol=2))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RMLR_DATA", str(folder / "data"))
        options = " ".join([*TINY, *SHORT])
        done = finished(make_command(from_page("make train"), f"ARGS={options}"), folder)
        assert done.returncode == 0, done.stderr
        printed = io.StringIO()
        with redirect_stdout(printed):
            run("train", [*TINY, *SHORT])
    (folder / "printed.txt").write_text(done.stdout + printed.getvalue())
    (folder / "outputs" / "hicodet_rmlr_r50").symlink_to("rmlr")
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # the finished run is a copy
@pytest.mark.parametrize("page", [page for page in TEXTS if HERE[page]], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_one_after_the_other(page, desk, tmp_path, monkeypatch):
    place = tmp_path / "desk"
    shutil.copytree(desk, place, symlinks=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("RMLR_DATA", str(place / "data"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(place / "hub"))
    for words in HERE[page]:
        follow(with_files(words), place)


@pytest.mark.slow
def test_a_run_ends_with_the_path_of_its_page(desk):
    lines = (desk / "printed.txt").read_text().splitlines()
    reports = [line for line in lines if line.startswith("report: ")]
    assert reports == [f"report: outputs/{name}/report.html" for name in ("rmlr", "rmlr-2")]
    assert lines[-1] == reports[-1]
    text = (desk / "outputs" / "rmlr-2" / "report.html").read_text()
    assert "rmlr-report outputs/rmlr-2 --html outputs/rmlr-2/report.html" in text


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)
def test_every_command_of_a_page_runs_in_a_test(page):
    for words in map(words_of, block_commands(TEXTS[page])):
        here = any(words in commands for commands in HERE.values())
        assert here or tuple(words) in TAKEN, " ".join(words)
