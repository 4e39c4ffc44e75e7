"""Each kind of wrong image file is found, and nothing else."""

import io

import pytest
from PIL import Image

from rmlr_lightning.preparation.images import check_images

SIZE = (20, 30)  # height, width


def jpeg(orientation: int = 1, size: tuple[int, int] = SIZE) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image = Image.effect_noise(size[::-1], 80).convert("RGB")
    image.save(buffer, "jpeg", exif=exif, quality=95)
    return buffer.getvalue()


def checked(folder, size=SIZE, decode=False):
    report = check_images(lambda name: folder / name, ["a.jpg"], [size], decode)
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
        (jpeg(6, (20, 20)), (20, 20), {}),  # a square: both readings have the size
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
    report = check_images(lambda name: tmp_path / name, ["a.jpg", "b.jpg"], [SIZE, SIZE])
    assert report.bytes == {"a.jpg": 4} and report.missing == ["b.jpg"]
