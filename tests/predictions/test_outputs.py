"""Files of results: where they go, and what they replace."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from rmlr_lightning.cli import predict
from rmlr_lightning.errors import UserError
from rmlr_lightning.predictions import outputs, predict_files
from rmlr_lightning.predictions.inputs import Frame
from rmlr_lightning.predictions.outputs import check_results, claimed, write_result


def test_a_frame_is_written_into_the_folder_of_its_video(make_result, tmp_path):
    frame = Frame(Path("clip.mp4"), Image.new("RGB", (8, 6)), 120, 4.8)
    record = write_result(tmp_path, frame, make_result(("hold", "cup", 0.9)), None, "")
    written = json.loads((tmp_path / "clip" / "frame_000120.json").read_text())
    assert written == record
    assert (record["image"], record["frame"], record["seconds"]) == ("clip.mp4", 120, 4.8)
    assert (tmp_path / "clip" / "frame_000120.png").is_file()


@pytest.mark.fault
def test_a_full_disk_leaves_no_triplets_without_their_drawing(make_result, tmp_path, monkeypatch):
    def full(*_):
        raise UserError("the disk is full")

    monkeypatch.setattr(outputs, "write_atomic", full)
    frame = Frame(Path("a.jpg"), Image.new("RGB", (8, 6)))
    with pytest.raises(UserError, match="the disk is full"):
        write_result(tmp_path, frame, make_result(("hold", "cup", 0.9)), None, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.fault
@pytest.mark.parametrize("existing", ["a.json", "predictions.jsonl", "index.html", "clip/"])
def test_results_replace_nothing_unless_it_is_asked_for(existing, tmp_path):
    path = tmp_path / existing
    if existing.endswith("/"):
        path.mkdir()
    else:
        path.write_text("the user's")
    files = [Path("a.jpg"), Path("clip.mp4")]
    with pytest.raises(UserError, match=r"exists; name another f.*--overwrite"):
        check_results(tmp_path, files, overwrite=False)
    check_results(tmp_path, files, overwrite=True)


@pytest.mark.fault
def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "x"
    with pytest.raises(UserError) as caught:
        check_results(out, [Path("a.jpg")], overwrite=False)
    assert str(caught.value).startswith(f"{out}: cannot be written")
    assert str(caught.value).endswith("name another folder with --out")


@pytest.mark.fault
@pytest.mark.parametrize("content", [None, "a result"])
def test_an_error_before_the_first_result_leaves_no_folder(content, tmp_path):
    with pytest.raises(ZeroDivisionError), claimed(tmp_path / "out"):
        if content:
            (tmp_path / "out" / "a.json").write_text(content)
        raise ZeroDivisionError
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    assert names == (["out", os.path.join("out", "a.json")] if content else [])


@pytest.mark.fault
def test_a_second_process_is_refused_and_takes_nothing_away(tmp_path, capsys):
    image, out = tmp_path / "a.jpg", tmp_path / "out"
    Image.new("RGB", (64, 48)).save(image)
    # two locks of one process exclude each other as those of two processes do
    with claimed(out):
        held = list(out.iterdir())
        with pytest.raises(SystemExit, match="2"):
            predict.main([str(image), "--out", str(out), "--overwrite"])
        assert list(out.iterdir()) == held != []
    error = capsys.readouterr().err
    assert error.startswith(f"error: --out {out}: another rmlr-predict is writing there")
    assert error.count("\n") == 1


@pytest.mark.fault
def test_results_that_another_process_has_written_meanwhile_stay(tmp_path):
    args = predict.parser().parse_args(["a.jpg", "--out", str(tmp_path)])
    files = [Path("a.jpg")]
    check_results(tmp_path, files, overwrite=False)
    (tmp_path / "predictions.jsonl").write_text("of the other")
    with pytest.raises(UserError, match=r"predictions\.jsonl exists"):
        predict_files.predict(args, files)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.jsonl"]
