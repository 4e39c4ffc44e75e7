"""rmlr-predict replaces no file of the user."""

import json
import os
import signal
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from rmlr_lightning.cli import predict
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.predictions import outputs, predict_files
from rmlr_lightning.predictions.unused_boxes import unused_boxes
from rmlr_lightning.types import Entities
from tests.untrained import untrained_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    return str(untrained_checkpoint(tmp_path_factory.mktemp("run")))


def refused(arguments, capsys) -> str:
    with pytest.raises(SystemExit) as caught:
        predict.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err.strip()


@pytest.mark.fault
def test_a_file_in_place_of_the_folder_of_results_is_named(tmp_path, capsys):
    for name in ("a.jpg", "drawn.jpg"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    out = tmp_path / "drawn.jpg"
    for more in ([], ["--overwrite"]):
        error = refused([tmp_path / "a.jpg", "--out", out, *more], capsys)
        assert error.startswith(f"error: --out {out}: a file is here, results need a folder")
    assert out.is_file()


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


@pytest.mark.fault
@pytest.mark.parametrize(
    ("boxes", "scores", "note"),
    [
        ("apart", 0.9, "15 of 30 people and 1 of 1 objects are used; 15 are beyond the best 15"),
        ("apart", 0.1, "3 of 30 people and 1 of 1 objects are used; 27 have a score below 0.2"),
        (
            "same",
            0.9,
            "1 of 30 people and 1 of 1 objects are used; 29 overlap a better one of their class by "
            "more than 0.5",
        ),
    ],
)
def test_boxes_that_are_given_and_not_used_are_counted_with_the_reason(boxes, scores, note):
    left = torch.arange(31)[:, None] * torch.tensor([0.03, 0.0]) * (boxes == "apart")
    entities = Entities(
        torch.cat([left, left + torch.tensor([0.02, 0.5])], 1),
        torch.full((31,), scores),
        torch.tensor([0] * 30 + [3]),
        torch.zeros(31, 0),
        torch.ones(31, dtype=torch.bool),
    )
    model = SimpleNamespace(selection=Selection(), subject=0)
    assert unused_boxes(entities, model) == note
    few = Entities(*(field[-2:] for field in entities))
    assert unused_boxes(few, model) is None


@pytest.mark.fault
@pytest.mark.parametrize(
    ("boxes", "score", "reason"),
    [
        ("apart", 0.9, "1 is beyond the best 15"),
        ("apart", 0.1, "1 has a score below 0.2"),
        ("same", 0.9, "1 overlaps a better one of its class by more than 0.5"),
    ],
)
def test_the_reason_of_a_single_box_is_in_the_singular(boxes, score, reason):
    left = torch.arange(16)[:, None] * torch.tensor([0.05, 0.0])
    if boxes == "same":
        left = left[:2] * 0
    scores = torch.full((len(left),), 0.9)
    scores[0] = score
    if score < 0.2:
        left, scores = left[:5], scores[:5]
    entities = Entities(
        torch.cat([left, left + torch.tensor([0.04, 0.5])], 1),
        scores,
        torch.zeros(len(left), dtype=torch.long),
        torch.zeros(len(left), 0),
        torch.ones(len(left), dtype=torch.bool),
    )
    model = SimpleNamespace(selection=Selection(), subject=0)
    assert unused_boxes(entities, model).endswith(f" are used; {reason}")


@pytest.mark.fault
def test_unused_boxes_are_noted_on_standard_error(checkpoint, tmp_path, capsys):
    Image.new("RGB", (64, 48)).save(tmp_path / "7.png")
    row = {"image_id": 7, "category_id": 1, "category": "person", "bbox": [5, 5, 20, 30]}
    rows = [row | {"score": score} for score in (0.9, 0.8)]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    command = [tmp_path / "7.png", "--checkpoint", checkpoint, "--boxes", tmp_path / "boxes.json"]
    predict.main([str(word) for word in (*command, "--out", tmp_path / "out")])
    printed = capsys.readouterr()
    assert "7.png: 1 of 2 people and 0 of 0 objects are used; 1 overlap" in printed.err
    assert f"gallery: {tmp_path}/out/index.html\n" in printed.out


@pytest.mark.fault
def test_images_that_the_boxes_have_no_row_of_are_counted(checkpoint, tmp_path, capsys):
    for name in ("7", "8", "9"):
        Image.new("RGB", (64, 48)).save(tmp_path / f"{name}.png")
    row = {"image_id": 7, "category_id": 1, "category": "person", "bbox": [5, 5, 20, 30]}
    (tmp_path / "boxes.json").write_text(json.dumps([row | {"score": 0.9}]))
    command = [tmp_path, "--checkpoint", checkpoint, "--boxes", tmp_path / "boxes.json"]
    predict.main([str(word) for word in (*command, "--out", tmp_path / "out")])
    note = f"note: {tmp_path}/boxes.json has no row for 2 of 3 images\n"
    assert note in capsys.readouterr().out


@pytest.mark.fault
def test_a_name_that_is_no_utf8_gets_results_and_a_link(checkpoint, tmp_path, capsys):
    name = os.fsdecode(b"a\xff#.png")
    Image.new("RGB", (64, 48)).save(tmp_path / name)
    out = tmp_path / "out"
    predict.main([str(tmp_path / name), "--checkpoint", checkpoint, "--out", str(out)])
    assert (out / name).is_file()
    assert 'href="a%FF%23.png"' in (out / "index.html").read_text()
    assert json.loads((out / "predictions.jsonl").read_text())["image"] == name


@pytest.mark.fault
def test_the_longest_name_that_a_file_can_have_gets_results(checkpoint, tmp_path, capsys):
    image = tmp_path / f"{'x' * 251}.png"
    Image.new("RGB", (64, 48)).save(image)
    predict.main([str(image), "--checkpoint", checkpoint, "--out", str(tmp_path / "out")])
    names = sorted(path.suffix for path in (tmp_path / "out").glob("x*"))
    assert names == [".json", ".png"]


def test_a_model_of_drawings_is_noted_on_the_console_and_in_the_gallery(tmp_path, capsys):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    predict.main([str(tmp_path / "a.png"), "--out", str(tmp_path / "out")])
    note = predict_files.OF_DRAWINGS
    assert f"note: {note}\n" in capsys.readouterr().out
    assert f"Note: {note}." in (tmp_path / "out" / "index.html").read_text()


def test_images_and_frames_get_one_line_each_and_a_card(checkpoint, tmp_path, capsys):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    video = cv2.VideoWriter(
        str(tmp_path / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48)
    )
    for _ in range(4):
        video.write(np.zeros((48, 64, 3), np.uint8))
    video.release()
    command = [tmp_path / "a.png", tmp_path / "clip.mp4", "--every", "2", "--batch", "2"]
    command += ["--checkpoint", checkpoint, "--out", tmp_path / "out", "--gallery", "2"]
    predict.main([str(word) for word in command])

    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(row["image"], row.get("frame")) for row in records] == [
        ("a.png", None),
        ("clip.mp4", 0),
        ("clip.mp4", 2),
    ]
    assert records[0] == json.loads((tmp_path / "out" / "a.json").read_text())
    assert records[1]["triplets"] == records[2]["triplets"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<article>") == 2 and "1 more image in predictions.jsonl." in page
    assert capsys.readouterr().out.startswith("3 images, ")


@pytest.fixture
def three(tmp_path):
    """A folder of three images, of which the second cannot be read."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in "ac":
        Image.new("RGB", (64, 48)).save(folder / f"{name}.png")
    (folder / "b.png").write_text("no image")
    return folder


@pytest.mark.fault
def test_an_image_that_cannot_be_read_is_skipped_and_counted(checkpoint, three, tmp_path, capsys):
    row = {"image_id": "c", "category_id": 1, "category": "person", "score": 0.9}
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([row | {"bbox": [x, 5, 20, 30]} for x in (5, 6)]))
    command = [three, "--checkpoint", checkpoint, "--boxes", boxes, "--out", tmp_path / "out"]
    error = refused([*command, "--batch", 2], capsys)
    skipped, note, total = error.splitlines()
    assert skipped.startswith(f"skipped: {three}/b.png: not a readable image")
    # external detections belong to their images still
    assert note.startswith(f"note: {three}/c.png: 1 of 2 people")
    assert total == "error: 1 of 3 files skipped, see above; the others have results"
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<h1>Interactions in 2 files</h1>" in page
    assert "1 more file could not be read</summary>\nb.png\n" in page
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in lines] == ["a.png", "c.png"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    images = {"a.json", "a.png", "c.json", "c.png"}
    assert names == {"predictions.jsonl", "index.html"} | images


@pytest.mark.fault
def test_where_no_image_can_be_read_nothing_is_written(checkpoint, three, tmp_path, capsys):
    command = ["--checkpoint", checkpoint, "--out", tmp_path / "out"]
    error = refused([three / "b.png", *command], capsys)
    assert error.startswith(f"error: {three}/b.png: not a readable image") and "\n" not in error
    (three / "d.png").touch()
    error = refused([three / "b.png", three / "d.png", *command], capsys)
    assert error.endswith("error: none of the files can be read")
    assert not (tmp_path / "out").exists()


@pytest.mark.fault
@pytest.mark.parametrize(
    ("module", "name", "number", "written"),
    [
        (outputs, "write_atomic", 2, ["a.json", "a.png", "c.png"]),  # the drawing of c.png
        (predict_files, "write_result", 2, ["a.json", "a.png", "c.json", "c.png"]),
    ],
)
def test_ctrl_c_leaves_no_triplets_without_their_drawing(
    module, name, number, written, checkpoint, three, tmp_path, capsys, monkeypatch
):
    function, calls = getattr(module, name), []

    def interrupted(*arguments):
        returned = function(*arguments)
        calls.append(name)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return returned

    monkeypatch.setattr(module, name, interrupted)
    out = tmp_path / "out"
    command = [str(three), "--checkpoint", checkpoint, "--out", str(out)]
    with pytest.raises(SystemExit) as caught:
        predict.main(command)
    assert caught.value.code == 130
    assert sorted(path.name for path in out.iterdir()) == written
    assert json.loads((out / "a.json").read_text())["image"] == "a.png"
    last = capsys.readouterr().err.splitlines()[-1]
    count = sum(result.endswith(".json") for result in written)
    assert last.startswith(f"stopped by SIGINT; results of {count} image")
    assert last.endswith("; start again with --overwrite")
    # one image of the folder cannot be read
    assert "others have results" in refused([*command, "--overwrite"], capsys)
    assert (out / "predictions.jsonl").is_file()


@pytest.mark.fault
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "0"], "--batch 0: expected a whole number from 1"),
        (["--min-probability", "2"], "--min-probability 2.0: expected a number in [0, 1]"),
        (["--boxes", "boxes.json"], "--boxes: only with images, not with videos"),
    ],
)
def test_options_that_cannot_be_are_refused_first(options, message, tmp_path, capsys):
    (tmp_path / "clip.mp4").touch()
    assert refused([tmp_path / "clip.mp4", *options], capsys) == f"error: {message}"
