"""Every command with folders whose names hold what shells, Hydra and Rich read otherwise."""

import json
import sys
from pathlib import Path

import pytest

from rmlr_lightning.cli import evaluate, export, extract, predict, prepare, report, score, train
from rmlr_lightning.runs.command_line import file_arguments
from rmlr_lightning.synthetic import WorldConfig, write_world

pytestmark = pytest.mark.fault
NAME = "seed=1, [c] 'd' #e $f %g {h} ü 模型;~"
QUICK = [
    "data.num_workers=0",
    "data.prepare.workers=1",
    "data.prepare.config.train=8",
    "+data.prepare.config.val=2",
    "+data.prepare.config.test=4",
    "data.batch_size=4",
    "loss=focal",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
    "+trainer.enable_progress_bar=false",
    "callbacks.progress=null",
]


@pytest.mark.slow
def test_every_command_takes_paths_of_any_name(tmp_path, monkeypatch, capsys):
    folder = tmp_path / NAME
    world = folder / "synthetic"
    folder.mkdir()
    write_world(WorldConfig(train=8, val=2, test=4), world)
    run, out = folder / "run=1,x", folder / "out [1]"
    checkpoint = run / "checkpoints" / "best.ckpt"

    def hydra(program, *arguments) -> str:
        monkeypatch.setattr(sys, "argv", ["rmlr", *map(str, arguments)])
        program.main()
        return capsys.readouterr().out

    data = f"paths.data={folder}"
    printed = hydra(train, *QUICK, data, f"hydra.run.dir={run}")
    assert str(checkpoint) in printed.replace("\n", "")
    hydra(extract, f"checkpoint={checkpoint}", data, "splits=[test]", "data.num_workers=0")
    hydra(
        evaluate,
        f"checkpoint={checkpoint}",
        data,
        f"out={out}/m=1.json",
        f"export={out}/found=1.npz",
        f"hydra.run.dir={folder}/eval=1",
        "+trainer.enable_progress_bar=false",
    )
    assert json.loads((out / "m=1.json").read_text())["test/selection_recall"] >= 0

    images = sorted((world / "hico_20160224_det" / "images" / "test2015").glob("*.jpg"))
    copies = [folder / "--out.jpg", folder / "[x]=1 #.jpg"]
    for copy, image in zip(copies, images, strict=False):
        copy.write_bytes(image.read_bytes())
    options = ["--checkpoint", str(checkpoint), "--out", str(out / "pictures")]
    predict.main([*map(str, copies), *options])
    names = {path.name for path in (out / "pictures").iterdir()}
    assert names >= {"--out.json", "--out.png", "[x]=1 #.json", "[x]=1 #.png", "index.html"}
    export.main([str(checkpoint), "--format", "folder", "--out", str(out / "model")])
    report.main([str(folder), "--out", str(out / "report")])
    assert (out / "report" / "report.png").stat().st_size > 0
    truth = str(world / "hico_20160224_det" / "instances_test2015.json")
    found = ["--detections", str(out / "found=1.npz"), "--plot", str(out / "p=[1].png")]
    score.main(["hicodet", "--ground-truth", truth, *found])


def test_a_file_that_begins_with_a_dash_is_no_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-a.jpg").touch()
    Path("--out").touch()
    arguments = ["-a.jpg", "--out", "x", "-b.jpg", "--seed=0.5"]
    assert file_arguments(arguments) == ["./-a.jpg", *arguments[1:]]


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        (predict, []),
        (predict, ["a.jpg", "--nothing"]),
        (predict, ["a.jpg", "--max-triplets", "many"]),
        (export, ["--format", "pdf", "--out", "x"]),
        (report, []),
        (report, ["runs", "--compare", "a"]),
        (prepare, ["mnist"]),
        (prepare, ["synthetic", "--train", "x"]),
        (score, ["hicodet"]),
        (score, ["hicodet", "--ground-truth", "a", "--detections", "b", "--bootstrap", "0"]),
    ],
)
def test_a_wrong_argument_is_one_line(program, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
