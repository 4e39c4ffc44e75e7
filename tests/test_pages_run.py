"""The command blocks of the pages run from top to bottom, as a reader types them.

At tiny size: options that make a training short are added. What needs weights, images or a machine
that are not here is listed with the test that runs it, or with the reason.
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
from tests.test_readme import CONFIGS, PARSERS, ROOT, TEXTS, block_commands, words_of
from tests.text.conftest import write_bert

TINY = [
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
    "data.prepare.config.seed=3",
    "data.num_workers=0",
]
SHORT = ["trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"]
SHORT += ["trainer.limit_train_batches=2", "trainer.log_every_n_steps=1"]
ROWS = ["experiment=visual,rmlr", "seed=0"]  # of a sweep
UNTESTED = ["test=false", "callbacks.panel=null"]

# Programs that are not ours (pip, make, python, jupyter) are checked in test_readme.py.
ELSEWHERE = {
    r"model\.detector\.path=|data/welding": "tests/cli/test_dress_rehearsal.py",
    r"upt-r\d+": "tests/cli/test_published.py",
    r"rmlr-prepare (hicodet|vcoco|check)": "tests/cli/test_prepare.py",
    r"--format (onnx|torch)": "tests/cli/test_export.py",
    r"trainer=ddp": "tests/faults/test_processes.py",
    r"--from-run": "tests/faults/test_repeated_runs.py",
    r"rmlr-report docs/results": "tests/cli/test_report.py",
    r"sweeper=optuna": "tests/cli/test_optuna.py",
    r"launcher=submitit": "needs the extra slurm",
    r"text=hub text.encoder.name=(google|openai)|mpnet": "downloads weights",
    r"unseen=rare_first": "the synthetic benchmark has no such split",
}


def ours(page: Path) -> list[str]:
    """The commands of a page that run here."""
    return [
        " ".join(words_of(line))
        for line in block_commands(TEXTS[page])
        if words_of(line)[0] in {**CONFIGS, **PARSERS}
        and not any(re.search(pattern, line) for pattern in ELSEWHERE)
    ]


def run(program: str, arguments: list[str]) -> None:
    module = importlib.import_module(f"rmlr_lightning.cli.{program}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"rmlr-{program}", *arguments])
        try:
            module.main()
        except SystemExit as ended:
            assert not ended.code, (program, arguments)


def typed(command: str) -> tuple[str, list[str]]:
    """The program of a command, and its arguments with those that keep it short."""
    program, *arguments = words_of(command)
    name = CONFIGS.get(program, PARSERS.get(program))
    arguments = [a.replace("=FILE", "=outputs/rmlr/checkpoints/best.ckpt") for a in arguments]
    # found.npz is of HICO-DET, the model of the benchmark
    arguments = [a.replace("export=found", "export=exported") for a in arguments]
    if name == "train":
        if any(a == "-m" or a.startswith("+sweep=") for a in arguments):
            arguments += ROWS
        arguments += [*TINY, *SHORT]
    elif name == "extract" and not any(a.startswith("checkpoint=") for a in arguments):
        arguments += TINY
    return name, arguments


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
        printed = io.StringIO()
        with redirect_stdout(printed):
            for _ in range(2):  # outputs/rmlr and outputs/rmlr-2
                run(*typed("rmlr-train"))
    (folder / "printed.txt").write_text(printed.getvalue())
    (folder / "outputs" / "hicodet_rmlr_r50").symlink_to("rmlr")
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # the finished run is a copy
@pytest.mark.parametrize("page", [page for page in TEXTS if ours(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_one_after_the_other(page, desk, tmp_path, monkeypatch):
    place = tmp_path / "desk"
    shutil.copytree(desk, place, symlinks=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("RMLR_DATA", str(place / "data"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    for command in ours(page):
        program, arguments = typed(command)
        run(program, arguments + UNTESTED * (program == "train"))


@pytest.mark.slow
def test_a_run_ends_with_the_path_of_its_page(desk):
    *_, line = (desk / "printed.txt").read_text().splitlines()
    assert line == "report: outputs/rmlr-2/report.html"
    text = (desk / "outputs" / "rmlr-2" / "report.html").read_text()
    assert "rmlr-report outputs/rmlr-2 --html outputs/rmlr-2/report.html" in text


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_does_not_run_here_is_needed_and_has_its_test(pattern):
    assert any(re.search(pattern, line) for text in TEXTS.values() for line in block_commands(text))
    place = ELSEWHERE[pattern]
    assert " " in place or (ROOT / place).is_file()
