"""rmlr-export: options, files and mistakes; tests/export has the programs themselves."""

import json

import pytest

from rmlr_lightning import HOIDetector
from rmlr_lightning.cli import export
from rmlr_lightning.export import program
from tests.untrained import untrained_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    return str(untrained_checkpoint(tmp_path_factory.mktemp("run")))


def test_a_checkpoint_becomes_a_folder(checkpoint, tmp_path, capsys):
    out = tmp_path / "model"
    options = ["--format", "folder", "--out", str(out), "--half", "--shipped-detector"]
    export.main([checkpoint, *options])
    assert capsys.readouterr().out == f"{out}\n"
    assert "shipped" in json.loads((out / "config.json").read_text())["detector"]
    assert "float16" in (out / "README.md").read_text()
    assert HOIDetector.from_pretrained(out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "onnx", "--out", "a.pt2"], "must end in .onnx"),
        (["--format", "onnx", "--out", "a.onnx"], "a.onnx exists"),
        (["--format", "torch", "--out", "b.pt2"], "b.pt2.json exists"),
        (["--format", "torch", "--out", "c.pt2", "--half"], "only with --format folder"),
        (["--format", "folder", "--out", "d", "--pairs", "3"], "only with --format torch or onnx"),
        (["--format", "torch", "--out", "c.pt2", "--pairs", "999"], "a number from 1 to 435"),
        (
            ["--format", "folder", "--out", "e"],
            "e/config.json exists; name another file, or add --overwrite",
        ),
    ],
)
def test_mistakes_get_one_line(options, message, checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e").mkdir()
    for name in ("a.onnx", "b.pt2.json", "e/config.json"):
        (tmp_path / name).write_text("the user's")
    with pytest.raises(SystemExit) as caught:
        export.main([checkpoint, *options])
    assert caught.value.code == 2
    error = capsys.readouterr().err.strip()
    assert message in error and len(error.splitlines()) == 1


@pytest.mark.fault
def test_a_missing_onnx_is_found_before_the_model_is_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(program, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        export.main(["no_such.ckpt", "--format", "onnx", "--out", "a.onnx"])
    assert "pip install 'rmlr-lightning[export]'" in capsys.readouterr().err
