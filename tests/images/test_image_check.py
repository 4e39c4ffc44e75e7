"""Each kind of wrong image file is found, and nothing else."""

import io
import json
import os

import pytest
from PIL import Image

from rmlr_lightning.images.image_check import Annotated, check_images, remembered_check
from rmlr_lightning.images.image_file import ImageFolders
from tests.scenes import noise_image

SIZE = (20, 30)  # height, width


def jpeg(orientation: int = 1, size: tuple[int, int] = SIZE) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image = noise_image(*size[::-1], 80).convert("RGB")
    image.save(buffer, "jpeg", exif=exif, quality=95)
    return buffer.getvalue()


def checked(folder, size=SIZE, decode=False, reach=(0, 0)):
    report = check_images(lambda name: folder / name, [Annotated("a.jpg", size, reach)], decode)
    return {key: names for key, names in report._asdict().items() if names and key != "bytes"}


@pytest.mark.parametrize(
    ("content", "size", "finding"),
    [
        (jpeg(), SIZE, {}),
        (jpeg(), (0, 0), {}),  # QPIC's files hold no sizes
        (None, SIZE, {"missing": ["a.jpg"]}),
        (b"", SIZE, {"unreadable": ["a.jpg"]}),
        (b"GIF89a", SIZE, {"unreadable": ["a.jpg"]}),
        (jpeg(), (20, 31), {"other_size": ["a.jpg (file 30x20, annotated 31x20)"]}),
        (jpeg(6), SIZE[::-1], {}),  # annotated as viewers show it
        (jpeg(6), SIZE, {"rotated": ["a.jpg"]}),
        (jpeg(3), SIZE, {"turned": ["a.jpg"]}),
        (jpeg(6, (20, 20)), (20, 20), {"turned": ["a.jpg"]}),  # both readings have the size
        (jpeg(6), (0, 0), {"turned": ["a.jpg"]}),
    ],
)
def test_findings(content, size, finding, tmp_path):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    assert checked(tmp_path, size) == finding


def test_a_truncated_image_is_found_by_decoding(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg()[:-200])
    assert checked(tmp_path) == {}
    assert checked(tmp_path, decode=True) == {"unreadable": ["a.jpg"]}


def test_bytes_of_all_that_exist(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"text")
    both = [Annotated(name, SIZE) for name in ("a.jpg", "b.jpg")]
    report = check_images(tmp_path.__truediv__, both)
    assert report.bytes == {"a.jpg": 4} and report.missing == ["b.jpg"]


@pytest.mark.fault
def test_boxes_reveal_an_image_whose_size_is_not_annotated(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    assert checked(tmp_path, (0, 0), reach=(21, 31)) == {}
    finding = {"outside": ["a.jpg (file 30x20, boxes to 60, 40)"]}
    assert checked(tmp_path, (0, 0), reach=(40, 60)) == finding


@pytest.mark.fault
@pytest.mark.parametrize("suffix", ["tiff", "png", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_rotations_of_other_formats(suffix, orientation, tmp_path):
    """Pillow gives the rotated size of TIFFs, and may find EXIF data of a PNG behind its pixels."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "a.jpg", suffix, exif=exif)
    assert (
        checked(tmp_path, SIZE)
        == {1: {}, 3: {"turned": ["a.jpg"]}, 6: {"rotated": ["a.jpg"]}}[orientation]
    )
    shown = SIZE[::-1] if orientation == 6 else SIZE
    assert checked(tmp_path, shown) == ({"turned": ["a.jpg"]} if orientation == 3 else {})


@pytest.mark.fault
def test_images_that_no_reader_takes_are_found_by_their_header(tmp_path):
    Image.new("I", SIZE[::-1]).save(tmp_path / "a.jpg", "tiff")
    (finding,) = checked(tmp_path)["unreadable"]
    assert "whole numbers of 32 bits" in finding


@pytest.mark.fault
def test_decoding_finds_values_that_no_reader_takes(tmp_path):
    Image.new("F", SIZE[::-1], 255).save(tmp_path / "a.jpg", "tiff")
    assert checked(tmp_path) == {}
    (finding,) = checked(tmp_path, decode=True)["unreadable"]
    assert "its values are 255 to 255, not 0" in finding


def test_files_are_read_again_only_if_something_changed(tmp_path, monkeypatch):
    folder, notes = tmp_path / "images", tmp_path / "notes"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg())
    images = [Annotated("a.jpg", SIZE), Annotated("b.jpg", SIZE)]
    first = remembered_check(ImageFolders(folder), images, notes)
    assert first.missing == ["b.jpg"]

    # headers are not read: a check would find the file unreadable
    monkeypatch.setattr(Image, "open", None)
    assert remembered_check(ImageFolders(folder), images, notes) == first
    changed = [images[0]._replace(size=(1, 1)), images[1]]
    assert remembered_check(ImageFolders(folder), changed, notes).unreadable == ["a.jpg"]
    monkeypatch.undo()
    (folder / "b.jpg").write_bytes(jpeg())
    assert not remembered_check(ImageFolders(folder), images, notes).missing
    os.utime(folder / "b.jpg", (0, 0))
    for note in notes.iterdir():  # a damaged note is ignored
        note.write_text(json.dumps({"missing": 3})[:-2])
    assert not remembered_check(ImageFolders(folder), images, notes).missing
