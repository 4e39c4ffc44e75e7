"""rmlr-predict replaces no file of the user."""

import json

import pytest
from PIL import Image

from rmlr_lightning.cli import predict
from tests.untrained import untrained_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    return str(untrained_checkpoint(tmp_path_factory.mktemp("run")))


def refused(arguments, capsys) -> str:
    with pytest.raises(SystemExit) as caught:
        predict.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err.strip()


def test_an_input_is_never_overwritten(tmp_path, capsys):
    image = tmp_path / "a.png"
    Image.new("RGB", (64, 48)).save(image)
    before = image.read_bytes()
    for more in ([], ["--overwrite"]):
        error = refused([tmp_path, "--out", tmp_path, *more], capsys)
        assert error.startswith("error: --out") and "overwrite an input" in error
    assert image.read_bytes() == before and not (tmp_path / "a.json").exists()


def test_another_file_is_overwritten_only_if_it_is_asked_for(checkpoint, tmp_path, capsys):
    image, out = tmp_path / "a.jpg", tmp_path / "out"
    Image.new("RGB", (64, 48)).save(image)
    out.mkdir()
    (out / "a.json").write_text("the user's")
    command = [image, "--checkpoint", checkpoint, "--out", out]
    assert "a.json exists" in refused(command, capsys)
    assert [path.name for path in out.iterdir()] == ["a.json"]
    predict.main([*map(str, command), "--overwrite"])
    assert json.loads((out / "a.json").read_text())["image"] == "a.jpg"


def test_a_checkpoint_among_the_images_gets_the_option_that_takes_it(checkpoint, tmp_path, capsys):
    error = refused([checkpoint, tmp_path / "a.jpg"], capsys)
    assert f"give a checkpoint as --checkpoint {checkpoint}" in error
